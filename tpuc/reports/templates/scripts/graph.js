// ---- the graph: zoom, pan, walk along the lines
const graph = one(".graph");
if (graph) {
  const [sheet, overview] = [one(".sheet"), one(".overview")];
  const picture = one(".sheet > svg");
  const size = { w: Number(picture.getAttribute("width")), h: Number(picture.getAttribute("height")) };
  const boxes = all(".box", picture);
  const reads = boxes.map((box) => box.dataset.in.split(",").filter(Boolean).map(Number));
  const readers = boxes.map(() => []);
  reads.forEach((from, i) => from.forEach((a) => readers[a].push(i)));
  const place = boxes.map((box) => {
    const { e, f } = box.transform.baseVal[0].matrix;
    return { x: e + 74, y: f + 23 };
  });
  const strokes = all(".lines path", picture);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let zoom = 1, at = 0;

  const frame = one(".overview .window");
  const look = () => {
    frame.hidden = false;
    const share = (v) => `${Math.min(Math.max(v, 0), 1) * 100}%`;
    frame.style.top = share(sheet.scrollTop / sheet.scrollHeight);
    frame.style.height = share(sheet.clientHeight / sheet.scrollHeight);
  };
  const center = (i, smooth) => sheet.scrollTo({
    left: place[i].x * zoom + picture.getBoundingClientRect().left - sheet.getBoundingClientRect().left
      + sheet.scrollLeft - sheet.clientWidth / 2,
    top: place[i].y * zoom - sheet.clientHeight / 2,
    behavior: smooth && !still.matches ? "smooth" : "instant",
  });
  const scale = (to, x = sheet.clientWidth / 2, y = sheet.clientHeight / 2) => {
    const before = zoom;
    zoom = Math.min(Math.max(to, 0.1), 3);
    const [left, top] = [sheet.scrollLeft + x, sheet.scrollTop + y];
    picture.setAttribute("width", size.w * zoom);
    picture.setAttribute("height", size.h * zoom);
    sheet.scrollTo({ left: left * zoom / before - x, top: top * zoom / before - y, behavior: "instant" });
    one(".zoom output").textContent = `${Math.round(zoom * 100)} %`;
    look();
  };
  const show = (i) => {
    boxes[at].tabIndex = -1;
    boxes[at].classList.remove("here");
    at = i;
    boxes[at].tabIndex = 0;
    boxes[at].classList.add("here");
    for (const path of strokes) {
      path.classList.toggle("near", Number(path.dataset.a) === i || Number(path.dataset.b) === i);
    }
    tell(one(".about"), i);
  };
  const go = (i) => {
    show(i);
    boxes[i].focus({ preventScroll: true });
    center(i, true);
  };
  const nearest = (list) => [...list].sort((a, b) =>
    Math.abs(place[a].x - place[at].x) - Math.abs(place[b].x - place[at].x))[0];
  const beside = (way) => boxes.map((_, i) => i)
    .filter((i) => place[i].y === place[at].y && (place[i].x - place[at].x) * way > 0);
  const ways = {
    ArrowDown: () => nearest(readers[at]), ArrowUp: () => nearest(reads[at]),
    ArrowRight: () => nearest(beside(1)), ArrowLeft: () => nearest(beside(-1)),
    Home: () => 0, End: () => boxes.length - 1,
  };
  picture.addEventListener("keydown", (event) => {
    if (event.key === "+" || event.key === "-") scale(zoom * (event.key === "+" ? 1.25 : 0.8));
    const to = ways[event.key] && ways[event.key]();
    if (to !== undefined) go(to);
    if (ways[event.key]) event.preventDefault();
  });
  const worst = boxes.map((_, i) => i).filter((i) => rowOf(i).dataset.sqnr !== undefined)
    .sort((a, b) => Number(rowOf(a).dataset.sqnr.replace("inf", "Infinity"))
      - Number(rowOf(b).dataset.sqnr.replace("inf", "Infinity")));
  let turn = 0;
  const buttons = {
    in: () => scale(zoom * 1.25), out: () => scale(zoom * 0.8),
    fit: () => scale((sheet.clientWidth - 4) / size.w),
    worst: () => { if (worst.length) { show(worst[turn % worst.length]); center(worst[turn++ % worst.length], true); } },
  };
  one(".zoom").hidden = false;
  for (const button of all(".zoom button")) button.addEventListener("click", buttons[button.dataset.go]);
  boxes.forEach((box, i) => {
    box.addEventListener("focus", () => show(i));
    box.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(i); });
  });

  // pan by dragging (fingers scroll anyway), zoom by the wheel with Ctrl
  let held = null;
  sheet.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button) return;
    held = { x: event.clientX, y: event.clientY, left: sheet.scrollLeft, top: sheet.scrollTop, far: false };
  });
  addEventListener("pointermove", (event) => {
    if (!held) return;
    const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
    held.far ||= Math.hypot(dx, dy) > 5;
    if (held.far) { sheet.classList.add("held"); sheet.scrollTo({ left: held.left - dx, top: held.top - dy, behavior: "instant" }); }
  });
  let dragged = false;
  addEventListener("pointerup", () => { dragged = Boolean(held && held.far); held = null; sheet.classList.remove("held"); });
  sheet.addEventListener("click", (event) => { if (dragged) { event.preventDefault(); event.stopPropagation(); } dragged = false; }, true);
  sheet.addEventListener("dragstart", (event) => event.preventDefault());
  sheet.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = sheet.getBoundingClientRect();
    scale(zoom * Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  sheet.addEventListener("scroll", look);
  const jump = (event) => {
    const box = overview.getBoundingClientRect();
    const share = (event.clientY - box.top) / box.height;
    sheet.scrollTo({ top: share * sheet.scrollHeight - sheet.clientHeight / 2, behavior: "instant" });
  };
  overview.addEventListener("pointerdown", (event) => { overview.setPointerCapture(event.pointerId); jump(event); });
  overview.addEventListener("pointermove", (event) => { if (event.buttons) jump(event); });
  addEventListener("resize", look);
  if (size.w > sheet.clientWidth) sheet.scrollLeft = place[0].x - sheet.clientWidth / 2;
  look();
}

// ---- one layer, close up
const closeup = one("#closeup");
if (closeup) {
  const content = JSON.parse(one("#closeup-data").textContent);
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const unpack = (text, low, high) => Array.from({ length: text.length / 2 }, (_, i) =>
    low + (letters.indexOf(text[2 * i]) * 64 + letters.indexOf(text[2 * i + 1])) / 4095 * (high - low));
  const real = (x) => String(Number(x.toPrecision(4)));
  const svg = (w, h, label) => {
    const picture = node("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": label });
    return picture;
  };
  const words = (x, y, text, anchor = "middle") =>
    Object.assign(node("text", { x, y, "text-anchor": anchor }), { textContent: text });
  const fill = (id, picture, text) => {
    const place = one(id);
    place.replaceChildren(...(picture ? [picture] : []));
    place.parentNode.querySelector("p").textContent = text;
  };

  const scatter = (i) => {
    const packed = content[i].v;
    if (!packed) { fill("#scatter", null, "No values: the op was not compared, or report.values=0."); return; }
    const [low, high, a, b] = packed;
    const [xs, ys] = [unpack(a, low, high), unpack(b, low, high)];
    const apart = one("#difference").checked;
    const up = apart ? ys.map((y, k) => y - xs[k]) : ys;
    const far = xs.map((x, k) => Math.abs(ys[k] - x));
    const worst = far.indexOf(Math.max(...far));
    const reach = Math.max(...up.map(Math.abs)) || 1;
    const [bottom, top] = apart ? [-reach, reach] : [low, high];
    const [w, h, left, foot] = [Math.max(one("#scatter").clientWidth, 240), 280, 52, 24];
    const X = (x) => left + (x - low) / (high - low || 1) * (w - left - 8);
    const Y = (y) => h - foot - (y - bottom) / (top - bottom || 1) * (h - foot - 10);
    const said = `${xs.length} values other than zero; the largest difference is ${real(far[worst])}, where float is ${real(xs[worst])}`;
    const picture = svg(w, h, said);
    picture.append(node("path", { class: "axis", d: `M${left} 8V${h - foot}H${w - 4}` }));
    picture.append(node("path", { class: "ideal", d: apart
      ? `M${X(low)} ${Y(0)}H${X(high)}` : `M${X(low)} ${Y(low)}L${X(high)} ${Y(high)}` }));
    const threshold = Number(rowOf(i).dataset.threshold);
    for (const t of [threshold, -threshold]) {
      if (t > low && t < high) picture.append(node("path", { class: "limit", d: `M${X(t)} 8V${h - foot}` }));
    }
    up.forEach((y, k) => picture.append(node("circle", { cx: X(xs[k]).toFixed(1), cy: Y(y).toFixed(1), r: 2.6 })));
    picture.append(node("circle", { class: "far", cx: X(xs[worst]), cy: Y(up[worst]), r: 6 }));
    picture.append(words(left, h - 6, real(low), "start"), words(w - 4, h - 6, real(high), "end"),
      words(w / 2 + 20, h - 6, "float"), words(left - 6, Y(bottom), real(bottom), "end"), words(left - 6, Y(top) + 8, real(top), "end"));
    fill("#scatter", picture, `${said} (ringed). Dashed: ${apart ? "no difference" : "equal"}; dotted: the threshold.`);
  };

  const distribution = (i) => {
    const card = document.getElementById(`h${i}`);
    if (!card) { fill("#distribution", null, "No histogram: the op was not calibrated, or report.histograms=false."); return; }
    const copy = document.createElement("div");
    copy.className = "hist";
    copy.style.padding = "0";
    copy.append(...all(".box, .foot", card).map((part) => part.cloneNode(true)));
    fill("#distribution", copy, "Height: logarithm of the count of each absolute value.");
  };

  const channels = (i) => {
    const packed = content[i].w;
    if (!packed) { fill("#channels", null, "No weights."); return; }
    const [low, high, count, a, b, quiet, quietest, loudest] = packed;
    const [lows, highs] = [unpack(a, low, high), unpack(b, low, high)];
    const [w, h, left, foot] = [Math.max(one("#channels").clientWidth, 240), 190, 60, 22];
    const Y = (y) => 8 + (high - y) / (high - low || 1) * (h - foot - 8);
    const step = (w - left - 6) / lows.length;
    const times = quietest ? loudest / quietest : 1;
    const said = `${count} channels; the loudest reaches ${real(loudest)}, the quietest (${quiet}) ${real(quietest)}: ${times < 10 ? times.toFixed(1) : Math.round(times)} times less`;
    const picture = svg(w, h, said);
    picture.append(node("path", { class: "axis", d: `M${left} 4V${h - foot}H${w}M${left} ${Y(0)}H${w}` }));
    const d = lows.map((y, k) => `M${(left + (k + 0.5) * step).toFixed(1)} ${Y(y).toFixed(1)}V${Y(highs[k]).toFixed(1)}`).join("");
    picture.append(node("path", { class: "channel", d, "stroke-width": Math.max(1, Math.min(step * 0.7, 12)), style: "vector-effect:none" }));
    picture.append(words(left - 6, 14, real(high), "end"), words(left - 6, h - foot, real(low), "end"),
      words(left, h - 5, "0", "start"), words(w, h - 5, `channel ${count - 1}`, "end"));
    fill("#channels", picture, `${said}.${lows.length < count ? " A bar covers several channels." : ""}`);
  };

  const select = one("#layer");
  let at = 0;
  const pick = (i, move) => {
    at = Math.min(Math.max(i, 0), content.length - 1);
    select.value = String(at);
    const facts = one("#closeup-facts");
    tell(facts, at, true);
    const hints = content[at].a || [];
    if (hints.length) {
      const list = document.createElement("ul");
      for (const [keys, why] of hints) {
        const item = document.createElement("li");
        const code = Object.assign(document.createElement("code"), { textContent: keys });
        item.append(code, Object.assign(document.createElement("span"), { textContent: why }));
        list.append(item);
      }
      facts.append(Object.assign(document.createElement("h4"), { textContent: "Try" }), list);
    }
    scatter(at); distribution(at); channels(at);
    one("#before").disabled = at === 0;
    one("#after").disabled = at === content.length - 1;
    if (move) { closeup.scrollIntoView(); select.focus({ preventScroll: true }); }
  };
  one(".pick").hidden = one(".closeup").hidden = false;
  one("#closeup-needs").remove();
  select.addEventListener("input", () => pick(Number(select.value)));
  one("#before").addEventListener("click", () => pick(at - 1));
  one("#after").addEventListener("click", () => pick(at + 1));
  addEventListener("resize", () => { scatter(at); channels(at); });
  one("#difference").addEventListener("input", () => scatter(at));
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-layer]");
    if (link) { event.preventDefault(); pick(Number(link.dataset.layer), true); }
  });
  pick(Number(select.options[0].value));
}

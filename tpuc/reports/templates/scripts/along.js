// ---- one cursor over all charts along the network
const along = one(".along");
if (along) {
  const texts = layerRows.map((row, i) => {
    const { n, op, name, dtype } = row.dataset;
    const wanted = ["threshold", "range", "cosine", "SQNR", "weight range"];
    const figures = factsOf(i).filter(([what]) => wanted.includes(what)).map((pair) => pair.join(" "));
    return [`${n}. ${op} ${name} (${dtype})`, ...figures].join(" · ");
  });
  const readout = one("#readout");
  const cursors = all(".cursor", along);
  let at = -1;
  const go = (index) => {
    at = Math.min(Math.max(index, 0), texts.length - 1);
    along.classList.add("on");
    for (const cursor of cursors) cursor.style.left = `${(at + 0.5) / texts.length * 100}%`;
    readout.textContent = texts[at];
  };
  for (const plot of all(".plot", along)) {
    const follow = (event) => {
      const box = plot.getBoundingClientRect();
      go(Math.floor((event.clientX - box.left) / box.width * texts.length));
    };
    plot.addEventListener("pointermove", follow);
    plot.addEventListener("pointerdown", follow);
  }
  along.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step) go(at + step);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(texts.length - 1);
    else return;
    event.preventDefault();
  });
  readout.textContent = "Point at an op to read its figures.";
}

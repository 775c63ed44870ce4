// ---- one cursor over all charts along the network
const along = one(".along");
if (along) {
  const texts = all(".layers tbody tr").sort((a, b) => a.dataset.n - b.dataset.n)
    .map((row) => {
      const { n, op, name, dtype, weights } = row.dataset;
      const figures = [[3, "threshold"], [4, "range"], [5, "cosine"], [6, "SQNR"]]
        .map(([cell, what]) => [what, row.cells[cell].textContent.trim()])
        .concat([["weights", weights || "–"]])
        .filter(([, text]) => text !== "–").map((pair) => pair.join(" "));
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

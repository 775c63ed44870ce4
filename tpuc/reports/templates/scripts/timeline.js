// ---- timeline: wider, narrower
const timeline = one(".timeline");
if (timeline) {
  const tools = one("#timeline .wider");
  let zoom = 1;
  tools.hidden = false;
  tools.addEventListener("click", (event) => {
    const go = event.target.dataset.go;
    if (!go) return;
    const middle = (timeline.scrollLeft + timeline.clientWidth / 2) / timeline.scrollWidth;
    zoom = Math.min(Math.max(go === "in" ? zoom * 2 : zoom / 2, 1), 32);
    for (const part of all("svg, .ticks", timeline)) part.style.width = `${zoom * 100}%`;
    one("#timeline output").textContent = `${zoom * 100} %`;
    timeline.scrollLeft = middle * timeline.scrollWidth - timeline.clientWidth / 2;
  });
}

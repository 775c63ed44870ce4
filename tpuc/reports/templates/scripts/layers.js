// ---- what the other parts ask of a layer, by its number
const layerRows = all(".layers tbody tr");
const rowOf = (i) => layerRows[i];
const factsOf = (i) => {
  const { op, dtype, weights, before } = rowOf(i).dataset;
  const shape = rowOf(i).querySelector("small").textContent.slice(op.length).trim();
  const why = rowOf(i).querySelector(".why");
  return [["op", op], ["type", dtype], ["why", why ? why.textContent : "–"], ["shape", shape || "–"],
    ...[[3, "threshold"], [4, "range"], [5, "cosine"], [6, "SQNR"], [7, "MACs"], [8, "weights"]]
      .map(([cell, what]) => [what, rowOf(i).cells[cell].textContent.trim()]),
    ["weight range", weights || "–"]].filter(([, text]) => text !== "–");
};
const tell = (place, i, inCloseup) => {
  const list = document.createElement("dl");
  list.className = "facts";
  for (const [what, text] of factsOf(i)) {
    for (const [tag, words] of [["dt", what], ["dd", text]]) {
      list.append(Object.assign(document.createElement(tag), { textContent: words }));
    }
  }
  const title = Object.assign(document.createElement("h3"), { textContent: `${i + 1}. ${rowOf(i).dataset.name}` });
  const links = document.createElement("p");
  links.className = "links";
  links.append(Object.assign(document.createElement("a"), { href: `#r${i}`, textContent: "Row in the table" }));
  if (!inCloseup && one("#closeup")) {
    const link = Object.assign(document.createElement("a"), { href: "#closeup", textContent: "Close-up" });
    link.dataset.layer = i;
    links.append(link);
  }
  place.replaceChildren(title, list, links);
};

// ---- layers: search, filter, first rows only
const table = one(".layers");
if (table) {
  const limit = 25;
  let every = table.tBodies[0].rows.length <= limit + 5;
  const fields = { find: one("#find"), op: one("#op"), dtype: one("#dtype"), below: one("#below") };
  const button = one("#all");
  const show = () => {
    const words = fields.find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let matching = 0, visible = 0;
    for (const row of table.tBodies[0].rows) {
      const d = row.dataset;
      const fits = words.every((w) => d.name.toLowerCase().includes(w))
        && (!fields.op.value || d.op === fields.op.value)
        && (!fields.dtype.value || d.dtype === fields.dtype.value)
        && (!fields.below.value || (d.cos !== undefined && Number(d.cos) < Number(fields.below.value)));
      matching += fits;
      row.hidden = !fits || (!every && matching > limit);
      visible += !row.hidden;
    }
    button.hidden = visible === matching;
    button.textContent = `Show all ${matching}`;
    one("#shown").textContent = `${visible} of ${table.tBodies[0].rows.length} ops shown`;
  };
  one(".tools").hidden = false;
  addEventListener("beforeprint", () => { every = true; show(); });
  for (const field of Object.values(fields)) field.addEventListener("input", show);
  button.addEventListener("click", () => { every = true; show(); });
  sortable(table, show);
  show();
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#r"]:not([data-layer])');
    const row = link && document.getElementById(link.getAttribute("href").slice(1));
    if (!row || row.tagName !== "TR") return;
    event.preventDefault();
    if (row.hidden) {
      for (const field of Object.values(fields)) field.value = "";
      every = true;
      show();
    }
    row.scrollIntoView({ block: "center" });
    row.focus({ preventScroll: true });
  });
}

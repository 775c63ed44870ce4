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
  for (const field of Object.values(fields)) field.addEventListener("input", show);
  button.addEventListener("click", () => { every = true; show(); });
  sortable(table, show);
  show();
}

// ---- layers of two runs: search, and what differs
const paired = one(".paired");
const [find, which] = [one("#find"), one("#which")];
const showPairs = () => {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of paired.tBodies[0].rows) {
    const d = row.dataset;
    const fits = words.every((w) => d.name.toLowerCase().includes(w))
      && (!which.value || (which.value === "changed" ? "changed" in d : d.judged === which.value));
    row.hidden = !fits;
    shown += fits;
  }
  one("#shown").textContent = `${shown} of ${paired.tBodies[0].rows.length} ops shown`;
};
one(".tools").hidden = false;
for (const field of [find, which]) field.addEventListener("input", showPairs);
showPairs();

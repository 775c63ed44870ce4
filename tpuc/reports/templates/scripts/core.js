const all = (query, root = document) => [...root.querySelectorAll(query)];
const one = (query) => document.querySelector(query);
const node = (tag, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

// ---- theme: follow the system until the reader chooses
const root = document.documentElement;
const theme = one(".theme");
const system = matchMedia("(prefers-color-scheme: dark)");
let kept = null;
try { kept = localStorage.getItem("tpuc-theme"); } catch { /* files may have no storage */ }
const asked = new URLSearchParams(location.search).get("theme") || kept;
if (asked === "dark" || asked === "light") root.dataset.theme = asked;
const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
const label = () => { theme.textContent = isDark() ? "Light theme" : "Dark theme"; };
theme.hidden = false;
label();
system.addEventListener("change", label);
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("tpuc-theme", root.dataset.theme); } catch { /* as above */ }
  label();
});

// ---- copy buttons
for (const button of all(".copy")) {
  if (!navigator.clipboard) continue;
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  });
}

// ---- a link into a closed fold opens it
const unfold = () => {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const fold = target && target.closest("details");
  if (fold && !fold.open) { fold.open = true; target.scrollIntoView({ block: "center" }); }
};
addEventListener("hashchange", unfold);
unfold();

// ---- tables that sort: <th data-kind> reads data-<kind> of the rows
const sortable = (table, after) => {
  const body = table.tBodies[0];
  const heads = all("th[data-kind]", table);
  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const kind = head.dataset.kind;
      const value = (row) => {
        const text = row.dataset[kind];
        if (text === undefined || text === "") return null;
        return text === "inf" ? Infinity : text !== "" && !isNaN(text) ? Number(text) : text;
      };
      const order = (a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === null || y === null) return (x === null) - (y === null);  // unknown last
        const sign = typeof x === "string" || typeof y === "string"
          ? String(x).localeCompare(String(y), "en", { numeric: true }) : Math.sign(x - y);
        return up ? sign : -sign;
      };
      body.append(...[...body.rows].sort(order));
      if (after) after();
    });
  }
};
for (const other of all("table.sortable")) sortable(other);

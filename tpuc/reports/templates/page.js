"use strict";
(() => {
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const one = (query) => document.querySelector(query);

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
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
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
  for (const other of all("table.sortable")) sortable(other);

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
})();

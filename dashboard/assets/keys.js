/* Keys, outside of fields: an element that has data-key is pressed by its key; g and a letter goes to a page. */
(function () {
  const squall = window.squall;
  let led = 0;
  const shown = (element) => element && element.offsetParent !== null && !element.disabled && !element.hasAttribute("data-disabled");
  const inField = (target) => target.closest && target.closest("input:not([type=radio]), textarea, select, [contenteditable=true]");
  const open = () => [...document.querySelectorAll("[role=dialog]")].some((element) => element.offsetParent !== null || getComputedStyle(element).position === "fixed");
  const press = (selector, root = document) => {
    const element = [...root.querySelectorAll(selector)].find(shown);
    if (element) { if (element.matches("input")) element.focus(); element.click(); }
    return Boolean(element);
  };

  function step(by) {
    /* j and k: the next row of the page's list, in a grid the next row of it. */
    const grid = document.querySelector(".grid-incidents, .grid-news");
    const rows = [...document.querySelectorAll(".story > summary, .incidents .incident button, [data-row]")].filter(shown);
    if (rows.length) {
      const now = rows.indexOf(document.activeElement);
      rows[Math.max(0, Math.min(rows.length - 1, now < 0 ? 0 : now + by))].focus();
      return true;
    }
    const api = grid && window.dash_ag_grid && window.dash_ag_grid.getApi(grid.id);
    if (!api) return false;
    const selected = api.getSelectedNodes()[0];
    const focused = api.getFocusedCell();
    const from = selected ? selected.rowIndex : focused ? focused.rowIndex : by > 0 ? -1 : 0;
    const next = Math.max(0, Math.min(api.getDisplayedRowCount() - 1, from + by));
    const node = api.getDisplayedRowAtIndex(next);
    if (!node) return false;
    api.ensureIndexVisible(next);
    if (grid.classList.contains("grid-incidents")) node.setSelected(true, true);
    else api.setFocusedCell(next, api.getAllDisplayedColumns()[0]);
    return true;
  }

  function handle(event) {
    if (event.ctrlKey && event.key.toLowerCase() === "k") return press("#palette-open");
    if (event.ctrlKey || event.metaKey || event.altKey || inField(event.target) || squall.keysOff) return false;
    if (open()) return false;
    const key = event.key;
    if (Date.now() - led < 1500) {
      led = 0;
      if (/^[a-z]$/.test(key)) return press(`a[data-go="${key}"]`) || true;
    }
    if (key === "g") { led = Date.now(); return true; }
    if (key === "?") return press("#help-open");
    if (key === "/") {
      const field = [...document.querySelectorAll("[data-slash] input, input[data-slash], #incident-words")].find(shown);
      if (field) field.focus();
      return Boolean(field);
    }
    if ("[]-.".includes(key)) return squall.span(key);
    if (key === "j" || key === "k") return step(key === "j" ? 1 : -1);
    if (/^[a-z0-9]$/.test(key)) return press(`[data-key="${key}"]`);
    return false;
  }
  document.addEventListener("keydown", (event) => { if (handle(event)) event.preventDefault(); });
})();

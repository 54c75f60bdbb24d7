/* The map of mood, drawn from plain values. What stays the same is left as it is, so that nothing moves under the eye. */
(function () {
  const squall = window.squall;
  let shape = "";

  function element(name, classes, ...children) {
    const made = document.createElement(name);
    if (classes) made.className = classes;
    made.append(...children);
    return made;
  }
  function empty() {
    return element("div", "empty", element("p", "what", "No news in this range."), element("p", "next", "Choose a longer range above."));
  }
  function frame(map) {
    const head = element("tr", "", element("td", "corner"));
    for (const [, kind, named, old, model] of map.heads) {
      const cell = element("th", `${old ? "old" : ""}${model ? " epoch" : ""}`, element("span"));
      cell.scope = "col";
      if (kind) {
        const time = element("time", "t");
        time.dateTime = named;
        time.dataset.kind = kind;
        cell.firstChild.append(time);
      }
      head.append(cell);
    }
    return element("table", "heat", element("thead", "", head), element("tbody"));
  }
  function line({ name, href, cells }) {
    const link = element("a", "scope", name);
    link.href = href;
    const head = element("th", "", link);
    head.scope = "row";
    const made = element("tr", "", head, ...cells.map(() => element("td")));
    made.dataset.row = href;
    return made;
  }
  /* Rows stay where they are while time goes on; another range, or the page anew, ranks them again. */
  function keepOrder(map, lines) {
    const old = squall.heat, goesOn = old && old.step === map.step && old.heads.slice(0, 2).some(([at]) => at === map.heads[0][0]);
    if (!goesOn) return;
    const place = ({ href }) => { const at = lines.findIndex((one) => one.dataset.row === href); return at < 0 ? lines.length : at; };
    map.rows.sort((one, other) => place(one) - place(other));
  }
  function paint(cell, value, opened, old, model) {
    const [classes, mean] = value === 0 ? ["none"] : value === 1 ? ["silent"] : value;
    const mark = opened ? opened[1] : value === 0 ? "·" : value === 1 ? "×" : /[1-9]/.test(mean) ? mean[0] : "0";
    const wanted = `c ${classes}${opened && mean ? " opened" : ""}${old ? " old" : ""}${model ? " epoch" : ""}`;
    if (cell.className !== wanted) cell.className = wanted;
    if (cell.textContent === mark && Boolean(cell.firstElementChild) === Boolean(opened)) return;
    cell.replaceChildren(opened ? element("b", `sev-${opened[0]}`, mark) : mark);
  }
  squall.drawHeat = function (box, map) {
    if (!box || !map) return;
    const table = box.querySelector("table"), lines = table ? [...table.tBodies[0].rows] : [];
    keepOrder(map, lines);
    squall.heat = map;
    if (!map.rows.length) { box.replaceChildren(empty()); return; }
    const wanted = JSON.stringify([map.heads, map.rows[0].cells.length]);
    if (wanted !== shape || !table) { shape = wanted; lines.length = 0; box.replaceChildren(frame(map)); }
    const body = box.querySelector("tbody");
    map.rows.forEach((row, at) => {
      const shown = lines.find((one) => one.dataset.row === row.href) || line(row);
      if (body.rows[at] !== shown) body.insertBefore(shown, body.rows[at] || null);
      row.cells.forEach((value, column) => paint(shown.cells[column + 1], value, row.opened[column], ...map.heads[column].slice(3)));
    });
    while (body.rows.length > map.rows.length) body.lastElementChild.remove();
  };

  function explain(cell) {
    const map = squall.heat, row = map.rows[cell.parentElement.sectionRowIndex], column = cell.cellIndex - 1;
    const value = row.cells[column], opened = row.opened[column];
    const many = Array.isArray(value) && (value[2] === 1 ? "1 mention" : `${value[2].toLocaleString("en-GB")} mentions`);
    const says = value === 0 ? "no news" : value === 1 ? "no news from any source" : `mean sentiment ${value[1]}, ${many}`;
    const incident = opened ? `; ${opened[0][0].toUpperCase()}${opened[0].slice(1)} incident opened` : "";
    const model = map.heads[column][4] ? `; model ${map.heads[column][4]} began to score` : "";
    const words = `${row.name}, ${squall.format.dated(new Date(map.heads[column][0]))} + ${map.step}: ${says}${incident}${model}`;
    const line = document.getElementById("now-explain");
    if (line.textContent !== words) line.textContent = words;
  }
  for (const name of ["mouseover", "click"]) {
    document.addEventListener(name, (event) => {
      const cell = event.target.closest && event.target.closest(".heat td.c");
      if (cell) explain(cell);
    });
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".heat a.scope");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    squall.visit(link.getAttribute("href"));
  });
})();

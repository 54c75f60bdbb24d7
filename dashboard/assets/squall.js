/* The pulse, times and ages, the address, and what the clientside callbacks call. */
(function () {
  const squall = window.squall;
  const POLL = 1000, HIDDEN = 15000, FAILING = 10000, TIMEOUT = 5000, LATE = 5000, TICK = 5000, PATIENCE = 3000;
  const noUpdate = () => window.dash_clientside.no_update;
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const byId = (id) => document.getElementById(id);
  const put = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };

  /* ---- times ---- */
  const formats = {};
  function parts(kind, zone) {
    const key = kind + zone;
    if (!formats[key]) {
      const options = {
        at: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
        hour: { hour: "2-digit", minute: "2-digit" },
        day: { day: "numeric", month: "short" },
        year: { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" },
        full: { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" },
      }[kind];
      formats[key] = new Intl.DateTimeFormat("en-GB", { ...options, hourCycle: "h23", timeZone: zone });
    }
    return formats[key];
  }
  const write = (at, kind) => parts(kind, squall.tz()).format(at).replace(",", "");
  const now = () => (squall.live === false && squall.clock ? squall.clock : new Date());
  function lasted(minutes) {
    if (minutes < 60) return `${minutes} min`;
    if (minutes < 1440) return `${+(minutes / 60).toFixed(1)} h`;
    return `${+(minutes / 1440).toFixed(1)} days`;
  }
  function since(at, until = now()) {
    const seconds = Math.round((until - at) / 1000);
    if (seconds < 0 || seconds >= 86400) return dated(at);
    if (seconds < 60) return `${seconds} s`;
    return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
  }
  function dated(at) {
    return Math.abs(now() - at) > 300 * 86400e3 ? write(at, "year") : write(at, "at");
  }
  function full(at) {
    const utc = parts("full", "UTC").format(at).replace(",", "");
    return squall.tz() === "UTC" ? utc : `${write(at, "full")} · ${utc}`;
  }
  function paint(element) {
    const at = new Date(element.getAttribute("datetime"));
    if (isNaN(at)) return;
    const kind = element.dataset.kind;
    put(element, kind === "age" ? since(at) : kind === "wall" ? since(at, new Date()) : kind === "at" ? dated(at) : write(at, kind));
    const title = full(at);
    if (element.title !== title) element.title = title;
  }
  const paintAll = (root = document) => root.querySelectorAll("time.t").forEach(paint);

  /* ---- pulse ---- */
  const seen = {};
  let good = 0, downSince = null, failing = false, waiting = 0;
  function emit(name, value) {
    if (name === "news" && hold()) return;
    seen[name] = value;
    set(`rev-${name}`, { data: value });
    const page = document.querySelector(".page");
    if (page && (page.dataset.again || "").split(" ").includes(name)) again();
  }
  let ticked = Date.now();
  function tick() {
    /* What has no revision number of its own is read again every few seconds, where a page shows it. */
    if (Date.now() - ticked < TICK || !document.querySelector("[data-ticks='yes']")) return;
    ticked = Date.now();
    set("rev-tick", { data: ticked });
  }
  function again() { set("retry", { data: Date.now() }); }
  function hold() {
    /* New rows wait while a person reads further down or has chosen a row. */
    const grid = byId("tape");
    const viewport = grid && grid.querySelector(".ag-body-viewport, .ag-grid-body-viewport");
    return Boolean(viewport && viewport.scrollTop > 8);
  }
  async function beat() {
    const held = hold();
    const query = new URLSearchParams({ path: location.pathname });
    if (held && squall.newest) query.set("newer", squall.newest);
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT);
    try {
      const answer = await fetch(`/squall/pulse?${query}`, { signal: abort.signal, cache: "no-store" });
      if (answer.status === 401) return squall.logIn();
      if (!answer.ok) throw new Error(String(answer.status));
      take(await answer.json(), held);
    } catch {
      failing = true;
      banner(`The dashboard does not answer since ${write(new Date(downAt()), "hour")}. What you see is as of then; it goes on by itself.`);
      state("Offline", "down");
    } finally {
      clearTimeout(timer);
    }
    paintAll();
    if (good && !failing && Date.now() - good > LATE) state(`Late ${Math.round((Date.now() - good) / 1000)} s`, "late");
    schedule();
  }
  function downAt() { downSince = downSince || Date.now(); return downSince; }
  function schedule() {
    clearTimeout(waiting);
    waiting = setTimeout(beat, document.hidden ? HIDDEN : failing && !downSoon() ? FAILING : POLL);
  }
  /* The first half minute of an outage is asked about each second: most heal within it. */
  const downSoon = () => downSince && Date.now() - downSince < 30000;
  function take(answer, held) {
    if (!answer.up) {
      failing = true;
      downAt();
      const at = new Date(answer.since);
      banner(`${answer.reason} What you see is as of ${good ? write(new Date(good), "hour") : "before"}.`);
      state(`Database down since ${write(at, "hour")}`, "down");
      return;
    }
    const healed = failing;
    failing = false; downSince = null; good = Date.now();
    banner("");
    state("Live", "up");
    squall.live = Boolean(document.querySelector(".clock[data-live='yes']"));
    const unknown = !squall.clock;
    squall.clock = answer.clock ? new Date(answer.clock) : null;
    /* Until the first answer the year was that of the time of day. */
    if (unknown && !squall.live) repaint();
    put(byId("clock"), answer.clock ? write(squall.clock, squall.live ? "hour" : "year") : "");
    if (squall.clock) byId("clock").title = full(squall.clock);
    const button = byId("held");
    if (button) { put(button, held && answer.newer ? `${answer.newer > 99 ? "99+" : answer.newer} new` : ""); }
    if (!held) squall.newest = answer.last;
    for (const [name, value] of Object.entries(answer.revisions)) {
      if (healed || seen[name] !== value) emit(name, healed ? `${value} ${Date.now()}` : value);
      seen[name] = name === "news" && hold() ? seen[name] : value;
    }
    if (document.querySelector(".page-failed")) again();
    tick();
  }
  function banner(text) {
    const element = byId("banner");
    if (!element) return;
    put(element, text);
    element.classList.toggle("shown", Boolean(text));
  }
  function state(text, kind) {
    const element = byId("link-state");
    if (!element) return;
    put(element, text);
    element.dataset.kind = kind;
  }

  /* ---- the address ---- */
  function address(changes) {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) value ? query.set(name, value) : query.delete(name);
    const text = query.toString();
    history.replaceState(history.state, "", location.pathname + (text ? `?${text}` : ""));
  }
  function visit(path) {
    history.pushState({}, "", path);
    dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    scrollTo(0, 0);
  }
  squall.visit = visit;
  squall.address = address;
  squall.now = now;
  squall.format = { dated, full, lasted };

  /* ---- clientside callbacks ---- */
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.squall = {
    start() {
      const options = [{ value: "own", label: `${squall.own.split("/").pop().replace(/_/g, " ")} (yours)` }];
      for (const [value, label] of [["UTC", "UTC"], ["America/New_York", "New York"], ["Europe/London", "London"], ["Asia/Tokyo", "Tokyo"]]) {
        if (value !== squall.own) options.push({ value, label });
      }
      if (squall.zone && !options.some((option) => option.value === squall.zone)) options.push({ value: squall.zone, label: squall.zone });
      return [options, squall.zone && squall.zone !== squall.own ? squall.zone : "own"];
    },
    list(value) {
      if ((value || "") === squall.list) return noUpdate();
      squall.list = value || "";
      address({ list: squall.list });
      squall.save();
      return Date.now();
    },
    chooseList() {
      const [cause] = window.dash_clientside.callback_context.triggered;
      return cause && cause.value ? JSON.parse(cause.prop_id.replace(/\.n_clicks$/, ""))["list-show"] : noUpdate();
    },
    zone(value) {
      const zone = value === "own" || !value ? "" : value;
      if (zone === squall.zone) return noUpdate();
      squall.zone = zone;
      address({ tz: zone });
      const facts = squall.save();
      repaint();
      return facts;
    },
    theme() {
      squall.theme = { auto: "light", light: "dark", dark: "auto" }[squall.theme] || "auto";
      const facts = squall.save();
      themeTitle();
      return [squall.scheme(), facts];
    },
    goTo(path) {
      if (path && path !== decodeURI(location.pathname) && path !== location.pathname) visit(path);
      return noUpdate();
    },
    clicked(data) {
      const point = data && data.points && data.points[0];
      if (!point || !point.customdata) return noUpdate();
      if (point.data.name === "Incidents") visit(`/incidents?sel=${encodeURIComponent(point.customdata)}`);
      if (point.data.name === "Stories") {
        const api = window.dash_ag_grid && window.dash_ag_grid.getApi("stories");
        const node = api && api.getRowNode(String(point.customdata));
        if (node) { api.ensureNodeVisible(node, "middle"); api.flashCells({ rowNodes: [node] }); byId("stories").scrollIntoView({ block: "nearest" }); }
      }
      return noUpdate();
    },
    select(rows, chosen) {
      const id = rows && rows.length ? rows[0].id || (rows.ids && rows.ids[0]) || "" : "";
      if (id === chosen) return [noUpdate(), id ? "split has-sel" : "split"];
      address({ sel: id });
      if (id && squall.size() === "narrow") scrollTo(0, 0);
      return [id, id ? "split has-sel" : "split"];
    },
    filterIncidents(state, severities, words) {
      address({ state: state === "All" ? "" : state, sev: (severities || []).join(","), q: words });
      const model = {};
      if (state && state !== "All") model.state = { filterType: "text", type: state === "Open" ? "notEqual" : "equals", filter: "Resolved" };
      if (severities && severities.length) {
        const conditions = severities.map((filter) => ({ filterType: "text", type: "equals", filter }));
        model.severity = conditions.length === 1 ? conditions[0] : { filterType: "text", operator: "OR", conditions };
      }
      const api = window.dash_ag_grid && window.dash_ag_grid.getApi && byId("incident-grid") && grid("incident-grid");
      if (api) api.setGridOption("quickFilterText", words || "");
      return model;
    },
    storyAddress(words, mode, topic, mood, source, range) {
      address({ q: words, mode: mode === "meaning" ? mode : "", topic, mood: mood === "Any" ? "" : mood.toLowerCase(), source, from: range ? `-${range}` : "" });
      return noUpdate();
    },
    auditAddress(kind) { address({ kind: kind === "All" ? "" : kind }); return noUpdate(); },
    storyNew(revision, clicks) {
      const asked = squall.storyClicks !== clicks || !squall.storySeen || squall.storyPath !== location.pathname;
      squall.storyClicks = clicks; squall.storyPath = location.pathname;
      if (asked) { squall.storySeen = revision; return ""; }
      return revision === squall.storySeen ? "" : "Newer items have come: read again";
    },
    goFrom(path) {
      if (!path) return noUpdate();
      visit(path);
      return false;
    },
    ask(_clicks, words) {
      const [cause] = window.dash_clientside.callback_context.triggered;
      if (!cause || !cause.value) return Array(8).fill(noUpdate());
      const kind = JSON.parse(cause.prop_id.replace(/\.n_clicks$/, "")).act;
      const act = words[kind];
      return [true, act.label, act.question, !act.lasts, act.field, "", act.refused, kind];
    },
    openHelp(clicks) { return Boolean(clicks); },
    close() { return false; },
    csv() {
      const api = grid("incident-grid");
      if (api) api.exportDataAsCsv({ fileName: "incidents.csv", allColumns: true, processCellCallback: csvCell });
      return noUpdate();
    },
    heat(map) { squall.drawHeat(byId("now-heat"), map); return noUpdate(); },
    range(value) { address({ from: value ? `-${value}` : "" }); return noUpdate(); },
  };
  /* A spreadsheet takes text that begins so for a formula, and runs it: an apostrophe makes it text. Times are instants in UTC. */
  function csvCell({ column, value, formatValue }) {
    const text = column.getColId() === "opened" ? value : formatValue(value);
    return /^[=+\-@\t\r\n]/.test(text || "") ? `'${text}` : text;
  }
  function grid(id) { try { return window.dash_ag_grid.getApi(id); } catch { return null; } }
  function themeTitle() {
    const button = byId("theme");
    if (button) { button.title = `Colours: ${{ auto: "automatic", light: "light", dark: "dark" }[squall.theme]}`; button.dataset.theme = squall.theme; }
  }
  function repaint() {
    paintAll();
    for (const id of ["tape", "stories", "incident-grid"]) { const api = byId(id) && grid(id); if (api) api.refreshCells({ force: true }); }
  }

  /* ---- the page's own events ---- */
  /* Stories that are open stay so when the list is drawn anew. */
  const opened = new Set();
  const reopen = (root) => [root, ...root.querySelectorAll("details[data-story]")].forEach((story) => {
    if (opened.has(story.dataset.story)) story.open = true;
  });
  document.addEventListener("toggle", ({ target }) => {
    if (target.matches("details[data-story]")) target.open ? opened.add(target.dataset.story) : opened.delete(target.dataset.story);
  }, true);
  document.addEventListener("click", (event) => {
    if (event.target.closest("#incident-back")) { const api = grid("incident-grid"); if (api) api.deselectAll(); }
    if (event.target.closest("#held")) {
      const api = grid("tape");
      if (api) api.ensureIndexVisible(0, "top");
      put(byId("held"), "");
    }
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { clearTimeout(waiting); beat(); } });
  squall.dark.addEventListener("change", () => {
    if (squall.theme !== "auto") return;
    const facts = squall.save();
    set("mantine", { forceColorScheme: squall.scheme() });
    set("env", { data: facts });
  });
  let size = squall.size();
  addEventListener("resize", () => {
    if (squall.size() === size) return;
    size = squall.size();
    squall.save();
    set("size", { data: size });
  });
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "attributes") { if (change.target.matches("time.t")) paint(change.target); continue; }
      for (const node of change.addedNodes) {
        if (node.nodeType !== 1) continue;
        if (node.matches("time.t")) paint(node);
        paintAll(node);
        reopen(node);
        node.querySelectorAll("input[type=file]").forEach((input) => input.setAttribute("aria-label", input.parentElement.textContent));
        const map = node.matches("[data-map]") ? node : node.querySelector("[data-map]");
        if (map) squall.drawHeat(map, JSON.parse(map.dataset.map));
        const page = node.matches(".page") ? node : node.querySelector(".page");
        if (page) {
          Object.assign(seen, JSON.parse(page.dataset.seen || "{}"));
          document.title = page.dataset.title ? `${page.dataset.title} · Squall` : "Squall";
          if (squall.list) address({ list: squall.list });
        }
        if (node.matches("[data-span]") || node.querySelector("[data-span]")) squall.showSpan();
        if (node.querySelector("#theme")) themeTitle();
      }
    }
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["datetime"] });
  /* The first page says which revisions it shows; where none comes, the pulse says why. */
  const begun = Date.now();
  (function wait() {
    const ready = window.dash_clientside && window.dash_clientside.set_props && byId("clock");
    if (ready && (document.querySelector(".page") || Date.now() - begun > PATIENCE)) beat();
    else setTimeout(wait, 50);
  })();
})();

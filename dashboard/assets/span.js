/* Ranges: [ and ] shift the page's range by its length, - takes the next longer one, . lets it end now again; the link to a view. */
(function () {
  const squall = window.squall;
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const asked = (name) => new URLSearchParams(location.search).get(name) || "";
  const control = () => document.querySelector("[data-span]");
  const chosen = (box) => (box.querySelector("input:checked") || {}).value;
  function end() {
    const at = new Date(asked("to"));
    return isNaN(at) ? null : at;
  }

  function stop(at) {
    /* A range that would end in the future ends now, and follows. */
    const until = at && at < squall.now() ? at.toISOString().replace(/\.\d+Z$/, "Z") : "";
    squall.address({ to: until });
    set("until", { data: until || null });
    show();
  }
  squall.span = (key) => {
    const box = control();
    if (!box) return false;
    const spans = JSON.parse(box.dataset.spans), names = Object.keys(spans), name = chosen(box);
    if (key === ".") stop(null);
    else if (key === "-") {
      const wider = names[names.indexOf(name) + 1];
      if (wider) set(box.dataset.span, { value: wider });
    } else stop(new Date((end() || squall.now()).getTime() + (key === "]" ? spans[name] : -spans[name])));
    return true;
  };
  function show() {
    const box = control();
    if (!box) return;
    const at = end();
    box.classList.toggle("stands", Boolean(at));
    const words = at ? `Until ${squall.format.dated(at)}: follow` : "";
    const text = box.querySelector(".follow span");
    if (text.textContent !== words) text.textContent = words;
  }
  squall.showSpan = show;

  /* The link says when the range ends, and which list it is limited to, so that it shows the same to whoever opens it. */
  squall.link = () => {
    const url = new URL(location.href), box = control();
    if (box) {
      url.searchParams.set("from", `-${chosen(box)}`);
      url.searchParams.set("to", (end() || squall.now()).toISOString().replace(/\.\d+Z$/, "Z"));
    }
    url.searchParams.set("list", squall.list);
    return url.href;
  };
  async function copy(text) {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* no permission, or no secure origin */ }
    const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "skip" });
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied;
  }
  document.addEventListener("click", async (event) => {
    const step = event.target.closest("[data-shift]");
    if (step && step.matches("button")) squall.span(step.dataset.shift);
    const button = event.target.closest("#copy-link");
    if (!button) return;
    const line = Object.assign(document.createElement("span"), { className: "done-line" });
    line.textContent = (await copy(squall.link())) ? "The link to this view is copied" : "The browser does not let pages copy: take the address";
    document.getElementById("copied").replaceChildren(line);
  });
})();

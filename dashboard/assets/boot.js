/* Runs before the first paint: what the browser knows and the server needs goes into one cookie. */
(function () {
  const read = (key) => { try { return localStorage.getItem(key) || ""; } catch { return ""; } };
  const write = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private window: for this page only */ } };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const squall = {
    theme: read("squall-theme") || "auto",
    zone: read("squall-zone") || "",
    list: read("squall-list") || "",
    own: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC",
    tz() { return this.zone || this.own; },
    scheme() { return this.theme === "auto" ? (dark.matches ? "dark" : "light") : this.theme; },
    size() { return innerWidth < 768 ? "narrow" : innerWidth < 1200 ? "medium" : innerWidth < 1800 ? "wide" : "huge"; },
    save() {
      write("squall-theme", this.theme);
      write("squall-zone", this.zone);
      write("squall-list", this.list);
      const facts = JSON.stringify({ tz: this.tz(), scheme: this.scheme(), size: this.size(), list: this.list });
      document.cookie = `squall=${encodeURIComponent(facts)}; path=/; max-age=31536000; SameSite=Lax`;
      return facts;
    },
    dark,
  };
  const list = new URLSearchParams(location.search).get("list");
  if (list !== null) squall.list = list;
  const asked = new URLSearchParams(location.search).get("tz");
  if (asked) { try { Intl.DateTimeFormat("en", { timeZone: asked }); squall.zone = asked; } catch { /* no such zone */ } }
  squall.save();
  document.documentElement.setAttribute("data-mantine-color-scheme", squall.scheme());
  window.squall = squall;

  /* What Dash asks for once all scripts have run, which takes a browser a second, is asked for now. */
  const early = {}, plain = window.fetch;
  for (const url of (document.currentScript.dataset.ask || "").split(" ").filter(Boolean)) {
    early[url] = plain(url, { headers: { Accept: "application/json" } });
    early[url].catch(() => { /* who takes the answer is told */ });
  }
  window.fetch = (url, options) => {
    const asked = early[url];
    delete early[url];
    return asked || plain(url, options);
  };
})();

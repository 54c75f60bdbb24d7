/* What the grids call: formats, cells made of elements (never of HTML), the theme on the page's own colours. */
(function () {
  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const make = (...args) => window.React.createElement(...args);
  const dated = (value) => (value ? window.squall.format.dated(new Date(value)) : "–");

  functions.squallTime = dated;
  functions.squallFullTime = (value) => (value ? window.squall.format.full(new Date(value)) : "");
  functions.squallLasted = (minutes) => (minutes === null || minutes === undefined ? "still open" : window.squall.format.lasted(minutes));
  functions.squallSurprise = (params) => `${params.value.toFixed(1)} / ${params.data.threshold.toFixed(1)}`;
  functions.squallWhy = ({ value, data }) => (value.startsWith(`${data.scope}: `) ? value.slice(data.scope.length + 2) : value);
  functions.squallBySeverity = (a, b, one, two) => two.data.rank - one.data.rank;
  functions.squallTheme = (agGrid) =>
    agGrid.themeQuartz.withParams({
      backgroundColor: "var(--surface)",
      foregroundColor: "var(--text)",
      headerTextColor: "var(--second)",
      headerBackgroundColor: "var(--surface)",
      borderColor: "var(--line)",
      accentColor: "var(--focus)",
      browserColorScheme: "inherit",
      oddRowBackgroundColor: "var(--surface)",
      rowHoverColor: "var(--canvas)",
      selectedRowBackgroundColor: "var(--closed)",
      fontFamily: "inherit",
      headerFontFamily: "inherit",
      fontSize: 13,
      headerFontSize: 12,
      headerFontWeight: 500,
      cellHorizontalPadding: 8,
      wrapperBorder: false,
      wrapperBorderRadius: 0,
      columnBorder: false,
      spacing: 6,
    });

  const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "") + Math.abs(value).toFixed(2);
  const web = (url) => (/^https?:\/\//i.test(url || "") ? url : "");
  const link = (text, url) =>
    web(url) ? make("a", { href: url, target: "_blank", rel: "noopener noreferrer", className: "headline" }, text) : make("span", { className: "headline" }, text);
  const inner = (text, path) =>
    make("a", { href: path, className: "scope", onClick: (event) => {
      if (event.metaKey || event.ctrlKey || event.button) return;
      event.preventDefault();
      window.squall.visit(path);
    } }, text);
  const severity = (data) =>
    make("span", { className: `sev sev-${data.severity.toLowerCase()}` }, make("span", { className: "glyph", "aria-hidden": "true" }, data.glyph), data.severity);
  const state = (data) => make("span", { className: `state state-${data.state.toLowerCase()}` }, data.state);

  cells.NewsLink = (props) => link(props.value, props.data.url);
  cells.ScopeLink = (props) => inner(props.value, props.data.href);
  cells.Mood = (props) => make("span", { className: `mood ${props.data.mood}` }, signed(props.value));
  cells.Severity = (props) => severity(props.data);
  cells.State = (props) => state(props.data);
  cells.NewsLines = ({ data }) =>
    make("div", { className: "lines" },
      make("div", { className: "line" },
        make("span", { className: `mood ${data.mood}` }, signed(data.sentiment)), inner(data.company, data.href),
        make("span", { className: "second num" }, dated(data.at)), make("span", { className: "second cut" }, data.source)),
      make("div", { className: "line cut" }, link(data.title, data.url)));
  cells.IncidentLines = ({ data }) =>
    make("div", { className: "lines" },
      make("div", { className: "line" }, severity(data), make("strong", null, data.scope), state(data),
        make("span", { className: "second num end" }, `${data.surprise.toFixed(1)} / ${data.threshold.toFixed(1)}`)),
      make("div", { className: "line cut second" }, `${dated(data.opened)} · ${data.summary}`));
})();

/* Logging out, and what happens when the log-in has ended meanwhile. */
(function () {
  const name = () => JSON.parse(document.getElementById("_dash-config").textContent).csrf_token_name;
  const token = () => (document.cookie.split("; ").find((one) => one.startsWith(`${name()}=`)) || "").split("=")[1] || "";
  const logIn = () => location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  window.squall.logIn = logIn;
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#logout")) return;
    fetch("/logout", { method: "POST", headers: { "X-CSRFToken": decodeURIComponent(token()) }, redirect: "manual" })
      .finally(() => location.assign("/login"));
  });
})();

// Runs before the first paint, so that the wrong theme never flashes. A classic script, because modules run too late.
(() => {
  try {
    const chosen = localStorage.getItem("signalbox.theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch { /* storage is disabled: use the system's theme */ }
})();

// Runs before the first paint, so a chosen theme never flashes. A classic script on purpose: modules run too late.
(() => {
  try {
    const chosen = localStorage.getItem("signalbox.theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch { /* storage is switched off: the system's preference counts */ }
})();

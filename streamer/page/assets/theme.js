// Runs before the first paint, so that the page never flashes in the other theme.
try {
  const chosen = JSON.parse(localStorage.getItem("theme"));
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // the browser keeps nothing for this page
}

/** Opens a page; one that cannot be opened leaves no timer and no listener behind. */
export async function openPage(page, ...given) {
  try {
    await page.open(...given);
  } catch (problem) {
    page.close();
    throw problem;
  }
}

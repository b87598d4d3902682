// What the tests do on the dashboard, and where things are on it.

export const card = (page, user) => page.locator(`.card[data-user="${user}"]`);
export const inState = (page, user, status) => page.locator(`.card[data-user="${user}"][data-status="${status}"]`);
export const texts = (page, user) => card(page, user).locator('[data-role=message] > p[dir=auto]').allTextContents();
export const text = (page, user, words) => card(page, user).locator('[data-role=message]', { hasText: words });
export const drawer = (page) => page.locator('#drawer[open]');

/** Opens the dashboard as whoever this token is; `faults` is what goes wrong from then on. */
export async function signedIn(browser, gateway, token = gateway.adminToken) {
  const { page, faults } = await browser.open(gateway.url);
  await page.locator('#login input').fill(token);
  await page.locator('#login button[type=submit]').click();
  await page.locator('.card:not(.bones), [data-role=empty]').first().waitFor();
  // Until here a 401 says that nobody is signed in, and a 404 that a user has no connection: both are in the console.
  faults.length = 0;
  return { page, faults };
}

/** "Conectar um número": in the bar, or in the middle of an empty board. */
export const add = (page) => page.locator('#add, [data-role=empty] button').filter({ visible: true });

/** Presses it and waits until the drawer shows the code. */
export async function connect(page, user) {
  await add(page).click();
  await page.locator('#connect input').fill(user);
  await page.locator('#connect button[type=submit]').click();
  await drawer(page).locator('img[data-role=qr]').waitFor();
}

/** Chooses what is in the menu of a card. */
export async function choose(page, user, act) {
  await card(page, user).locator('[data-role=menu]').click();
  await page.locator(`.menu:popover-open [data-act=${act}]`).click();
}

// The demo's own buttons: each acts on the simulated side, and the dashboard shows what that causes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { add, card, connect, inState, text } from './dashboard.mjs';
import { Demo } from './gateway.mjs';

const BOUND = { timeout: 90_000 };
let browser;
before(async () => {
  browser = await Browser.start();
});
after(() => browser.stop());

const press = (page, user, act) => card(page, user).locator(`.demophone [data-act=${act}]`).click();
const notices = (page, user, code) => card(page, user).locator(`[data-role=notification][data-code=${code}]`);

/** A demo in which nova-loja is connected, whom no script moves. */
async function demo(t) {
  const server = await Demo.start();
  t.after(() => server.stop());
  const { page, faults } = await browser.open(server.link);
  t.after(() => page.close());
  await connect(page, 'nova-loja');
  await page.keyboard.press('Escape');
  await press(page, 'nova-loja', 'scan');
  await inState(page, 'nova-loja', 'connected').waitFor();
  return { page, faults };
}

test('the sample phone scans, gets a message, drops and comes back', BOUND, async (t) => {
  const { page, faults } = await demo(t);

  await press(page, 'nova-loja', 'message');
  await text(page, 'nova-loja', 'Olá! Vocês estão abertos agora?').first().waitFor();
  await press(page, 'nova-loja', 'drop');
  await inState(page, 'nova-loja', 'reconnecting').waitFor();
  await card(page, 'nova-loja').locator('[data-role=reconnect]').click();
  await inState(page, 'nova-loja', 'connected').waitFor();

  assert.deepEqual(faults, []);
});

test('another server takes the session, and "Usar aqui" takes it back', BOUND, async (t) => {
  const { page, faults } = await demo(t);

  await press(page, 'nova-loja', 'conflict');
  await inState(page, 'nova-loja', 'conflict').waitFor();
  const button = card(page, 'nova-loja').locator('[data-role=reconnect]', { hasText: 'Usar aqui' });
  await button.click();
  await inState(page, 'nova-loja', 'connected').waitFor();

  await notices(page, 'nova-loja', 'reconnected').waitFor();

  assert.equal(await notices(page, 'nova-loja', 'conflict').count(), 1);
  assert.deepEqual(faults, []);
});

test('a ban is told as a ban, and as nothing else', BOUND, async (t) => {
  const { page, faults } = await demo(t);

  await press(page, 'nova-loja', 'ban');
  await inState(page, 'nova-loja', 'restricted').waitFor();
  await notices(page, 'nova-loja', 'restricted').waitFor();

  assert.equal(await notices(page, 'nova-loja', 'logged_out').count(), 0);
  assert.equal(await card(page, 'nova-loja').locator('.demophone').isVisible(), false, 'a banned phone has no buttons');
  assert.deepEqual(faults, []);
});

test('a device removed on the phone is told as unlinked, and connecting again asks for a code', BOUND, async (t) => {
  const { page, faults } = await demo(t);

  await press(page, 'nova-loja', 'remove-device');
  await inState(page, 'nova-loja', 'logged_out').waitFor();
  await notices(page, 'nova-loja', 'logged_out').waitFor();
  await card(page, 'nova-loja').locator('[data-role=connect]').click();
  await page.locator('#drawer[open] img[data-role=qr]').waitFor();

  assert.deepEqual(faults, []);
});

test('while Evolution is away the demo counts down, asking says whose fault it is, and it comes back', BOUND, async (t) => {
  const { page } = await demo(t);
  const strip = page.locator('#demo');

  await strip.locator('[data-act=down]').click();
  await strip.getByText(/Evolution fora; volta em (1:00|0:5\d)/).waitFor();
  await add(page).click();
  await page.locator('#connect input').fill('outra-loja');
  await page.locator('#connect button[type=submit]').click();
  const fault = page.locator('#connect .fault:not(:empty)');
  await fault.waitFor();
  const said = await fault.textContent();
  await page.keyboard.press('Escape');
  const kept = await inState(page, 'nova-loja', 'connected').count();
  await page.evaluate(() =>
    fetch('/demo/evolution/down', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"seconds":1}',
    }),
  );
  await strip.getByText('Evolution no ar').waitFor();

  assert.match(said, /^A Evolution não respondeu\. O problema não é do celular\. Evolution can't be reached/);
  assert.equal(kept, 1, 'an outage of Evolution is no fault of a connection');
  assert.equal(await strip.locator('[data-act=down]').getAttribute('aria-disabled'), null);
});

// The dashboard in a real browser, against the real program.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { card, inState, signedIn, texts } from './dashboard.mjs';
import { Demo, Gateway } from './gateway.mjs';

const BOUND = { timeout: 60_000 };
let browser;
before(async () => {
  browser = await Browser.start();
});
after(() => browser.stop());

const lastSeq = async (page, user) => Number(await card(page, user).getAttribute('data-seq'));

/** A server with ana connected, and an operator's page that watches her. */
async function watched(t) {
  const gateway = await Gateway.start();
  t.after(() => gateway.stop());
  await gateway.connect('ana');
  await gateway.post('ana', 'connection.update/open-after-scan', (data) => (data.instance = 'user_ana'));
  const { page, faults } = await signedIn(browser, gateway);
  t.after(() => page.close());
  await inState(page, 'ana', 'connected').waitFor();
  await page.locator('.card[data-user=ana][data-live=on]').waitFor();
  return { gateway, page, faults };
}

test('the link of the demo signs in and shows three lives, from code to messages', BOUND, async (t) => {
  const demo = await Demo.start();
  t.after(() => demo.stop());

  const { page, faults } = await browser.open(demo.link);
  t.after(() => page.close());
  const shop = inState(page, 'loja-do-bairro', 'waiting_qr').locator('img[data-role=qr]');
  await shop.waitFor();
  await inState(page, 'padaria-aurora', 'connected').waitFor();
  await card(page, 'padaria-aurora').locator('[data-role=message] >> nth=1').waitFor();

  assert.equal(new URL(page.url()).hash, '', 'the code has left the address');
  assert.equal(await page.locator('.card').count(), 3);
  assert.ok((await shop.evaluate((image) => image.getBoundingClientRect().width)) >= 240, 'wide enough to be read');
  assert.equal(await card(page, 'padaria-aurora').locator('[data-role=qr]').count(), 0, 'a code that was read is gone');
  assert.match(await card(page, 'padaria-aurora').locator('h2').textContent(), /Padaria Aurora/);
  assert.deepEqual(faults, []);
});

test('a page survives the death of its server: nothing lost, nothing twice, no reload', BOUND, async (t) => {
  const { gateway, page } = await watched(t);
  await page.evaluate(() => (globalThis.sameDocument = true));
  for (const text of ['um', 'dois', 'três']) await gateway.say('ana', text);
  await page.getByText('três', { exact: true }).waitFor();

  await gateway.die();
  await page.locator('#live[data-live=stale]').waitFor();
  const pill = await page.locator('#live').textContent();
  const meanwhile = await texts(page, 'ana');
  await page.setViewportSize({ width: 360, height: 740 });
  const lastTool = await page.locator('#leave').boundingBox();
  await page.setViewportSize({ width: 1280, height: 800 });
  await gateway.comeUp();
  let seq;
  for (const text of ['quatro', 'cinco', 'seis']) seq = await gateway.say('ana', text);
  await page.locator(`.card[data-user=ana][data-seq="${seq}"]`).waitFor();
  await page.locator('#live[data-live=on]').waitFor();

  assert.match(pill, /^Parado desde \d\d:\d\d$/);
  assert.ok(lastTool.x + lastTool.width <= 360, 'on a phone the bar still holds all its tools');
  assert.deepEqual(meanwhile, ['um', 'dois', 'três'], 'what was known stays readable');
  assert.deepEqual(await texts(page, 'ana'), ['um', 'dois', 'três', 'quatro', 'cinco', 'seis']);
  assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
});

test('a code is shown while it can be read, and replaced by the connection', BOUND, async (t) => {
  const { gateway, page, faults } = await watched(t);
  await gateway.connect('bia');
  await gateway.post('bia', 'qrcode.updated/qr-first', (data) => (data.qrcode.instance = 'user_bia'));
  await inState(page, 'bia', 'waiting_qr').locator('img[data-role=qr]').waitFor();

  await gateway.post('bia', 'connection.update/open-after-scan', (data) => (data.instance = 'user_bia'));
  await inState(page, 'bia', 'connected').waitFor();

  assert.equal(await card(page, 'bia').locator('[data-role=qr]').count(), 0);
  assert.deepEqual(faults, []);
});

test('names and texts from outside are text, whatever they look like', BOUND, async (t) => {
  const { gateway, page, faults } = await watched(t);
  const name = '<img src=x onerror=alert(1)>\u202e"\'';
  const text = '<script>alert(2)</script> <b>negrito</b> javascript:alert(3)';
  const id = '" onmouseover="alert(4)';

  const seq = await gateway.say('ana', text, { id, name });
  await page.locator(`.card[data-user=ana][data-seq="${seq}"]`).waitFor();

  assert.deepEqual(await texts(page, 'ana'), [text]);
  assert.equal(await card(page, 'ana').locator('[data-role=message] bdi').textContent(), name);
  assert.equal(await page.locator('[data-role=message] :is(img, script, b, a)').count(), 0);
  assert.equal(await lastSeq(page, 'ana'), seq);
  assert.deepEqual(faults, []);
});

// The page that a user's link opens, in a real browser, against the real program.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { Gateway } from './gateway.mjs';

const BOUND = { timeout: 60_000 };
let browser;
before(async () => {
  browser = await Browser.start();
});
after(() => browser.stop());

const scene = (page, kind) => page.locator(`#scene[data-kind=${kind}]`);

test('a link leads its user from the code to connected, and to no one else', BOUND, async (t) => {
  const gateway = await Gateway.start();
  t.after(() => gateway.stop());
  await gateway.connect('bia');
  const link = await gateway.linkFor('ana');

  const { page, faults } = await browser.open('about:blank');
  t.after(() => page.close());
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('websocket', (socket) => asked.push(socket.url()));
  await page.goto(link);
  await scene(page, 'unready').waitFor(); // no Evolution here: what it would do is posted
  const address = page.url();

  await gateway.post('bia', 'qrcode.updated/qr-first', (data) => (data.qrcode.instance = 'user_bia'));
  await gateway.post('ana', 'connection.update/connecting-first', (data) => (data.instance = 'user_ana'));
  await scene(page, 'preparing').waitFor();
  await gateway.post('ana', 'qrcode.updated/qr-first', (data) => (data.qrcode.instance = 'user_ana'));
  const code = scene(page, 'code').locator('img[data-role=qr]');
  await code.waitFor();
  const width = await code.evaluate((image) => image.getBoundingClientRect().width);
  await gateway.post('ana', 'connection.update/connecting-515-restart', (data) => (data.instance = 'user_ana'));
  await scene(page, 'finishing').waitFor();
  const codes = await page.locator('img').count();
  await gateway.post('ana', 'connection.update/open-after-scan', (data) => (data.instance = 'user_ana'));
  await scene(page, 'connected').locator('bdi', { hasText: 'Loja Central' }).waitFor();

  const token = new URL(link).hash.slice('#token='.length);
  assert.ok(token.length > 20);
  assert.ok(asked.some((url) => url.includes('/ws')));
  assert.equal(address, `${gateway.url}/connect.html`, 'the token has left the address');
  assert.ok(!asked.some((url) => url.includes(token)), 'and is in none that was asked for');
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.ok(!kept.includes(token), 'nor in what the browser keeps');
  assert.ok(width >= 240, 'wide enough to be read');
  assert.equal(codes, 0, 'a code that was read is gone');
  assert.match(await scene(page, 'connected').textContent(), /\+55 \d\d 9••••-\d{4}/);
  assert.doesNotMatch(await page.locator('body').textContent(), /inst[âa]nc|bia/i);
  assert.deepEqual(faults, []);
});

test('without a link that works, the page says where to get one', BOUND, async (t) => {
  const gateway = await Gateway.start();
  t.after(() => gateway.stop());

  const { page } = await browser.open(`${gateway.url}/connect.html`);
  t.after(() => page.close());
  await page.getByText('Peça um novo link', { exact: true }).waitFor();
  await page.goto(await gateway.linkFor('ana')); // only the fragment is new: the same document goes on
  await scene(page, 'unready').waitFor();
  await gateway.revoke('ana');
  await page.getByRole('heading', { name: 'Este link não vale mais' }).waitFor();

  assert.equal(await page.locator('#scene button').count(), 0, 'nothing to press that would not work');
});

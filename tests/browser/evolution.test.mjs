// The dashboard and a user's page with the simulated Evolution: what people press, scan and type, and what comes of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { add, card, choose, connect, drawer, inState, signedIn, text, texts } from './dashboard.mjs';
import { Evolution } from './evolution.mjs';
import { Gateway } from './gateway.mjs';

const BOUND = { timeout: 60_000 };
let browser;
before(async () => {
  browser = await Browser.start();
});
after(() => browser.stop());

async function servers(t, settings) {
  const evolution = await Evolution.start(settings);
  t.after(() => evolution.stop());
  const gateway = await Gateway.start({ evolution });
  t.after(() => gateway.stop());
  return { evolution, gateway };
}

/** An operator's dashboard. */
async function dashboard(t, settings) {
  const { evolution, gateway } = await servers(t, settings);
  const { page, faults } = await signedIn(browser, gateway);
  t.after(() => page.close());
  return { evolution, gateway, page, faults };
}

/** The same with ana's phone linked. */
async function linked(t) {
  const all = await dashboard(t);
  await connect(all.page, 'ana');
  await all.evolution.scan('ana');
  await inState(all.page, 'ana', 'connected').waitFor();
  await all.page.keyboard.press('Escape');
  return all;
}

test('from the button to a message: code, scan, connected, message', BOUND, async (t) => {
  const { evolution, page, faults } = await dashboard(t);

  await connect(page, 'ana');
  const width = await drawer(page)
    .locator('img[data-role=qr]')
    .evaluate((image) => image.getBoundingClientRect().width);
  await evolution.scan('ana');
  await page.locator('#drawer[data-stage=connected]').getByText('Conectada a Loja Central').waitFor();
  const codes = await page.locator('[data-role=qr]').count();
  await page.keyboard.press('Escape');
  await evolution.say('ana', 'Vocês abrem hoje?');
  await text(page, 'ana', 'Vocês abrem hoje?').waitFor();

  assert.ok(width >= 240, 'wide enough to be read');
  assert.equal(codes, 0, 'a code that was read is gone');
  assert.equal(await drawer(page).count(), 0);
  assert.match(await card(page, 'ana').locator('header').textContent(), /Loja Central.*\+55 11 98888-7777.*Conectada/);
  assert.deepEqual(await texts(page, 'ana'), ['Vocês abrem hoje?']);
  assert.deepEqual(faults, []);
});

test('a renewed code takes the place of the one before, in the drawer and on the card', BOUND, async (t) => {
  const { evolution, page } = await dashboard(t, { codeMs: 3000 });
  await connect(page, 'ana');
  const shown = () =>
    page.locator('img[data-role=qr]').evaluateAll((images) => images.map((image) => image.getAttribute('src')));

  const first = await shown();
  await page.waitForFunction(
    (old) => {
      const images = [...document.querySelectorAll('img[data-role=qr]')];
      return images.length === 2 && images.every((image) => image.getAttribute('src') !== old);
    },
    first[0],
  );
  const second = await shown();
  await evolution.scan('ana');
  await inState(page, 'ana', 'connected').waitFor();

  assert.deepEqual([first.length, new Set(first).size], [2, 1]);
  assert.equal(new Set(second).size, 1, 'both places show the same');
});

test('the server dies while a code is shown, and again while people write: the page goes on', BOUND, async (t) => {
  const { evolution, gateway, page } = await dashboard(t);
  await page.evaluate(() => (globalThis.sameDocument = true));

  await connect(page, 'ana');
  await gateway.die();
  await evolution.scan('ana'); // its webhooks find nobody, and are sent again
  await gateway.comeUp();
  await inState(page, 'ana', 'connected').waitFor();
  await page.keyboard.press('Escape');
  await evolution.say('ana', 'antes');
  await text(page, 'ana', 'antes').waitFor();
  await gateway.die();
  await evolution.say('ana', 'no meio');
  await gateway.comeUp();
  await evolution.say('ana', 'depois');
  for (const words of ['no meio', 'depois']) await text(page, 'ana', words).waitFor();
  await page.locator('#live[data-live=on]').waitFor();

  // What is sent again comes after what came at once.
  assert.deepEqual((await texts(page, 'ana')).sort(), ['antes', 'depois', 'no meio']);
  assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
});

test('two users in two browsers never see each other', BOUND, async (t) => {
  const { evolution, gateway } = await servers(t);
  const people = {
    ana: { number: '5511988880001', name: 'Loja da Ana', says: 'segredo da Ana' },
    bia: { number: '5521988880002', name: 'Loja da Bia', says: 'segredo da Bia' },
  };
  const opened = {};
  for (const user of Object.keys(people)) {
    const own = await Browser.start();
    t.after(() => own.stop());
    const { page, faults } = await signedIn(own, gateway, await gateway.tokenFor(user));
    const heard = [];
    page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => heard.push(String(payload))));
    page.on('response', async (answer) => heard.push(await answer.text().catch(() => '')));
    opened[user] = { page, faults, heard };
  }

  const pages = Object.entries(opened);
  await Promise.all(pages.map(([, { page }]) => add(page).click()));
  await Promise.all(pages.map(([, { page }]) => drawer(page).locator('img[data-role=qr]').waitFor()));
  const codes = await Promise.all(
    pages.map(([, { page }]) => drawer(page).locator('img[data-role=qr]').getAttribute('src')),
  );
  for (const [user, { number, name }] of Object.entries(people)) await evolution.scan(user, { number, name });
  for (const [user, { page }] of pages) await inState(page, user, 'connected').waitFor();
  for (const [user, { says }] of Object.entries(people)) await evolution.say(user, says);
  for (const [user, { page }] of pages) await text(page, user, people[user].says).waitFor();

  assert.notEqual(codes[0], codes[1]);
  for (const [user, { page, faults, heard }] of pages) {
    const [other] = Object.keys(people).filter((name) => name !== user);
    const { number, name, says } = people[other];
    const all = [await page.content(), ...heard].join('\n');
    assert.ok(all.includes(people[user].says) && heard.length > 5, `${user} was listened to`);
    for (const foreign of [`user_${other}`, number, name, says]) {
      assert.ok(!all.includes(foreign), `${user} hears of ${foreign}`);
    }
    assert.equal(await page.locator('.card').count(), 1);
    assert.deepEqual(faults, []);
  }
});

test('a script in a profile, in a push name and in a text stays text', BOUND, async (t) => {
  const { evolution, page, faults } = await dashboard(t);
  const script = '<script>alert(1)</script><img src=x onerror=alert(2)>';

  await connect(page, 'ana');
  await evolution.scan('ana', { name: script });
  await page.locator('#drawer[data-stage=connected]').waitFor();
  await page.locator('#drawer .arrived bdi', { hasText: '<script>' }).waitFor();
  await page.keyboard.press('Escape');
  await evolution.say('ana', script, { name: script });
  await text(page, 'ana', '<script>').waitFor();

  assert.equal(await card(page, 'ana').locator('h2').textContent(), script);
  assert.equal(await card(page, 'ana').locator('[data-role=message] bdi').textContent(), script);
  assert.deepEqual(await texts(page, 'ana'), [script]);
  assert.equal(await page.locator('.card :is(img, script), #drawer :is(img, script)').count(), 0);
  assert.deepEqual(faults, []);
});

test('a number gets a code to type, and typing it connects', BOUND, async (t) => {
  const { evolution, page } = await dashboard(t);
  const number = '5511988887777';

  await connect(page, 'ana');
  await drawer(page).locator('[data-role=by-number] summary').click();
  await drawer(page).locator('input[type=tel]').fill('123');
  await drawer(page).locator('form button').click();
  const refused = await drawer(page).locator('form .fault').textContent();
  await drawer(page).locator('input[type=tel]').fill('+55 (11) 98888-7777');
  await drawer(page).locator('form button').click();
  const code = await drawer(page).locator('[data-role=pairing] .spelt').textContent();
  await evolution.type('ana', code, { number });
  await page.locator('#drawer[data-stage=connected]').waitFor();

  assert.match(refused, /8 a 15 algarismos/);
  assert.match(code, /^[A-Z0-9]{8}$/);
  assert.equal(await page.locator('[data-role=pairing]').count(), 0);
});

test('unlinking is asked once, and the phone is free', BOUND, async (t) => {
  const { evolution, page } = await linked(t);

  await choose(page, 'ana', 'unlink');
  const focused = await page.locator('#sure button:focus').textContent();
  await page.locator('#sure button[type=submit]').click();
  await inState(page, 'ana', 'disconnected').and(page.locator('[data-reason=by_owner]')).waitFor();

  assert.equal(focused, 'Deixar como está', 'the focus begins where nothing happens');
  assert.equal((await evolution.of('ana')).linked, null);
  assert.match(await card(page, 'ana').locator('.why').textContent(), /Desvinculada por aqui|desvinculou/i);
});

test('"Reconectar agora" is confirmed by the connection that comes back', BOUND, async (t) => {
  const { evolution, page } = await linked(t);
  const asked = page.waitForResponse((answer) => answer.url().includes('/api/whatsapp/reconnect'));

  await evolution.drop('ana');
  await inState(page, 'ana', 'reconnecting').waitFor();
  await card(page, 'ana').locator('[data-role=reconnect]', { hasText: 'Reconectar agora' }).click();
  const answer = await asked;
  await evolution.mend('ana');
  await inState(page, 'ana', 'connected').waitFor();

  assert.equal(answer.status(), 202);
  assert.equal(await card(page, 'ana').locator('.stage .fault').count(), 0);
});

test('deleting takes the name, and then there is nothing left here or at Evolution', BOUND, async (t) => {
  const { evolution, page } = await linked(t);

  await choose(page, 'ana', 'remove');
  const submit = page.locator('#sure button[type=submit]');
  await page.locator('#sure input').fill('user_bia');
  const withAnother = await submit.getAttribute('aria-disabled');
  await page.locator('#sure input').fill('user_ana');
  await submit.click();
  await card(page, 'ana').waitFor({ state: 'detached' });

  assert.equal(withAnother, 'true', 'another name deletes nothing');
  assert.equal(await evolution.of('ana'), undefined);
});

test('a user\'s own page goes from the link to connected, by a typed code and back', BOUND, async (t) => {
  const { evolution, gateway } = await servers(t);
  const { page, faults } = await browser.open(await gateway.linkFor('ana'));
  t.after(() => page.close());
  const scene = (kind) => page.locator(`#scene[data-kind=${kind}]`);

  await scene('code').locator('img[data-role=qr]').waitFor();
  await page.getByRole('button', { name: 'Usar número' }).click();
  await scene('number').locator('input').fill('11 98888-7777');
  await scene('number').locator('input').fill('55 11 98888-7777');
  await scene('number').locator('form button').click();
  const code = await scene('code').locator('[data-role=pairing]').textContent();
  await evolution.type('ana', code, { number: '5511988887777', name: '<b>Loja</b>' });
  await scene('connected').locator('bdi', { hasText: '<b>Loja</b>' }).waitFor();
  await scene('connected').locator('[data-role=aside]').click();
  await scene('sure').locator('[data-role=unlink]').click();
  await scene('disconnected').getByText('Você desvinculou esta conexão').waitFor();

  assert.equal((await evolution.of('ana')).linked, null);
  assert.deepEqual(faults, []);
});

test('a wrong key is told with what to do about it, and the connection stays to be tried again', BOUND, async (t) => {
  const evolution = await Evolution.start();
  t.after(() => evolution.stop());
  const settings = { ...evolution.settings, EVOLUTION_API_KEY: 'of-another-evolution' };
  const gateway = await Gateway.start({ evolution: { settings } });
  t.after(() => gateway.stop());
  const { page } = await signedIn(browser, gateway);
  t.after(() => page.close());

  await add(page).click();
  await page.locator('#connect input').fill('ana');
  await page.locator('#connect button[type=submit]').click();
  const fault = page.locator('#connect .fault:not(:empty)');
  await fault.waitFor();
  const said = await fault.textContent();
  await page.keyboard.press('Escape');
  await card(page, 'ana').and(page.locator('[data-reason=evolution_refused]')).waitFor();

  assert.match(said, /^A Evolution recusou o pedido: confira a chave e a versão\. .*EVOLUTION_API_KEY/);
  assert.equal(await card(page, 'ana').locator('[data-role=connect]').count(), 1);
  const owner = await browser.open(await gateway.linkFor('ana'));
  t.after(() => owner.page.close());
  await owner.page.locator('#scene[data-kind=down]').waitFor();
  assert.doesNotMatch(await owner.page.locator('body').textContent(), /Evolution|API/);
});

// The page: puts the parts together and keeps the bar at the top true.
import { keep } from './dom.js';
import { lang, onLang, setLang, socketEnd, t, translate } from './words.js';
import { clock } from './figures.js';
import { api } from './api.js';
import { Board } from './board.js';
import { askSignIn, askUser } from './forms.js';
import { open, signIn, takeLoginCode } from './session.js';

const $ = (id) => document.getElementById(id);
const STALE_MS = 10_000;

const board = new Board({ board: $('board'), strip: $('strip'), sum: $('sum'), add: $('add'), say: $('say') }, {
  line: paintLive, signIn: () => expired(), refused: checkSession, add: openConnect,
});
let signedIn = false, checking = 0;

// ---- top bar ----

/** One word for all sockets: the worst of them. */
function paintLive() {
  const lines = board.lines.filter((line) => line.phase !== 'off'), live = $('live');
  live.hidden = !signedIn || !lines.length;
  const ended = lines.find((line) => line.phase === 'ended'), lost = lines.filter((line) => line.phase === 'again').map((line) => line.since);
  if (ended?.code === 4001) expired();
  const since = ended?.since ?? Math.min(...lost), stale = Boolean(ended) || Date.now() - since > STALE_MS;
  const how = lost.length || ended ? (stale ? 'stale' : 'again') : lines.some((line) => line.phase === 'opening') ? 'again' : 'on';
  if (live.dataset.live === how && how !== 'stale' && live.lang === lang()) return;
  live.dataset.live = how; live.lang = lang();
  const words = how === 'on' ? t('live') : how === 'again' ? t('again') : t('stale', { time: clock(new Date(since)) });
  if (live.textContent !== words) live.textContent = words;
  live.title = (ended && socketEnd(ended.code)) ?? '';
}

function paintWords() {
  translate();
  $('lang').textContent = lang() === 'en' ? 'PT' : 'EN';
  $('lang').ariaLabel = $('lang').title = lang() === 'en' ? 'Mudar para português' : 'Switch to English';
  document.title = `zapgate · ${t('title').toLocaleLowerCase(lang())}`;
  board.retell();
  paintLive();
}

$('lang').onclick = () => setLang(lang() === 'en' ? 'pt-BR' : 'en');
$('theme').onclick = () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
  keep('zapgate.theme', root.dataset.theme);
};
$('leave').onclick = async () => { await api.logout().catch(() => null); location.reload(); };
$('add').onclick = openConnect;

function openConnect() { askUser($('connect'), async (user) => board.show(await board.connect(user))); }

// ---- session ----

function enter(me) {
  const first = !signedIn;
  signedIn = true;
  $('page').hidden = false; $('leave').hidden = false;
  paintLive();
  return first ? board.start(me) : board.resume();
}

function askWho(reason) {
  askSignIn($('login'), { reason, again: signedIn, send: async (typed) => { enter(await signIn(typed)); } });
}

function expired() { if (!$('login').open) askWho(socketEnd(4001)); }

/** A socket was turned away before it said hello: was it the session? Asked at most once in five seconds. */
async function checkSession() {
  if (!signedIn || Date.now() - checking < 5000) return;
  checking = Date.now();
  await api.me().catch((error) => { if (error.status === 401) expired(); });
}

async function start(code) {
  try {
    const { me, refused } = await open(code);
    if (me) await enter(me); else askWho(refused ?? undefined);
  } catch {
    setTimeout(start, 1000 + Math.random() * 2000, code);   // the server is not there yet, and the code not yet used
  }
}

onLang(paintWords);
paintWords();
setInterval(paintLive, 2000);
start(takeLoginCode());

// The page: puts the parts together and keeps the bar at the top true.
import { lang, onLang, socketEnd, t } from './words.js';
import { clock } from './figures.js';
import { api } from './api.js';
import { Board } from './board.js';
import { askSignIn, askUser } from './forms.js';
import { takeFromAddress } from './fragment.js';
import { open, signIn } from './session.js';
import { paintTools, wireTools } from './tools.js';

const $ = (id) => document.getElementById(id);
const STALE_MS = 10_000;

const board = new Board(
  { board: $('board'), strip: $('strip'), sum: $('sum'), add: $('add'), say: $('say'), drawer: $('drawer'), sure: $('sure'), demo: $('demo') },
  { line: paintLive, signIn: () => expired(), refused: checkSession, add: openConnect },
);
let signedIn = false;
let over = false; // the session ended, and that was said
let checkedAt = 0;
let askAgain = null; // repeats the question on show, in another language

// ---- top bar ----

/** One word for all sockets: the worst of them. */
function paintLive() {
  const live = $('live');
  const lines = board.lines.filter(({ phase }) => phase !== 'off');
  const ended = lines.find(({ phase }) => phase === 'ended');
  const lost = lines.filter(({ phase }) => phase === 'again').map(({ since }) => since);
  if (ended?.code === 4001) expired();
  const since = ended?.since ?? Math.min(...lost); // without any lost it is Infinity: not stale
  const opening = lost.length > 0 || lines.some(({ phase }) => phase === 'opening');
  const how = ended || Date.now() - since > STALE_MS ? 'stale' : opening ? 'again' : 'on';
  const words = {
    on: () => t('live'),
    again: () => t('again'),
    stale: () => t('stale', { time: clock(new Date(since)) }),
  }[how]();
  live.hidden = !signedIn || !lines.length;
  live.dataset.live = how;
  live.title = (ended && socketEnd(ended.code)) ?? '';
  const cut = how === 'stale' && !ended && lines.every(({ phase }) => phase === 'again' || phase === 'opening');
  board.cutOff(cut ? () => t('cutOff', { time: clock(new Date(since)) }) : null);
  if (live.textContent !== words) live.textContent = words; // a status region: the same words are not news
}

function paintWords() {
  paintTools();
  document.title = `zapgate · ${t('title').toLocaleLowerCase(lang())}`;
  board.retell();
  paintLive();
  askAgain?.();
}

$('leave').onclick = async () => {
  await api.logout().catch(() => null);
  location.reload();
};
$('add').onclick = openConnect;

async function openConnect() {
  if ($('add').ariaDisabled) return;
  if (board.isOperator) askUser($('connect'), (user) => board.connect(user));
  else
    await board.connect().then(
      (show) => show(),
      (error) => board.tell('down', 'warn', { what: error.message }),
    );
}

// ---- session ----

function enter(me) {
  const first = !signedIn;
  signedIn = true;
  over = false;
  askAgain = null;
  $('page').hidden = false;
  $('leave').hidden = false;
  paintLive();
  return first ? board.start(me) : board.resume();
}

/** `reason` says why, in the language of that moment. */
function askWho(reason) {
  const send = async (typed) => void enter(await signIn(typed));
  askSignIn($('login'), { reason: reason?.(), again: signedIn, send });
  askAgain = signedIn ? null : () => askWho(reason); // over a page the dialog is modal: no other language meanwhile
}

/** Asked once; whoever closes the question can go on reading, and finds it again in the strip. */
function expired() {
  if (over) return;
  over = true;
  const then = () => askWho(() => socketEnd(4001));
  const words = { what: t('signInAgainWhat'), because: t('signInAgainWhy'), press: t('signInAgain') };
  board.tell('clock', 'warn', { ...words, then });
  then();
}

/** A socket was turned away before it said hello: was it the session? Asked at most once in five seconds. */
async function checkSession() {
  if (!signedIn || Date.now() - checkedAt < 5000) return;
  checkedAt = Date.now();
  await api.me().catch((error) => {
    if (error.status === 401) expired();
  });
}

async function start(code) {
  try {
    const { me, refused } = await open(code);
    if (me) await enter(me);
    else askWho(refused);
  } catch {
    setTimeout(start, 1000 + Math.random() * 2000, code); // the server is not there yet, and the code not yet used
  }
}

wireTools();
onLang(paintWords);
paintWords();
setInterval(paintLive, 2000);
start(takeFromAddress('login'));

// The page that a link opens: one user's connection, and nothing else. The token is read from the fragment once, leaves
// the address at once, and is kept in this module's memory only: a reload needs the link again.
import { onLang } from './words.js';
import { o } from './owner-words.js';
import { takeFromAddress } from './fragment.js';
import { paintTools, wireTools } from './tools.js';
import { Owner } from './owner.js';

const $ = (id) => document.getElementById(id);
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/; // what can go in a header and a subprotocol
let owner = null;

function open() {
  const token = takeFromAddress('token');
  if (owner && token === null) return; // some other change of the address
  owner?.stop();
  owner = new Owner({ scene: $('scene'), cut: $('cut'), say: $('say') }, JWT.test(token ?? '') ? token : null);
  owner.start(token !== null);
}

function paintWords() {
  paintTools();
  document.title = $('title').textContent = o('title');
  $('trust').textContent = o('trust');
  owner?.retell();
}

wireTools();
onLang(paintWords);
open();
paintWords();
addEventListener('hashchange', open); // a second link, opened over the first

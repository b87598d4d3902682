// The questions before what can't be taken back by a press: unlinking is asked once, deleting takes the name.
import { bdi, sentence } from './dom.js';
import { a } from './act-words.js';
import { ask } from './forms.js';

/** `send()` throws with words for the reader. */
export function askUnlink(dialog, send) {
  ask(dialog, 'sure', {
    title: a('unlinkTitle'),
    why: a('unlinkWhy'),
    go: a('unlink'),
    busy: a('unlinking'),
    keep: a('keepAsIs'),
    closable: true,
    grave: true,
    send,
  });
}

export function askRemove(dialog, name, send) {
  ask(dialog, 'sure', {
    title: a('removeTitle'),
    why: a('removeWhy'),
    label: sentence(a('removeLabel'), { name: bdi(name, { class: 'mono' }) }),
    hint: a('removeHint'),
    go: a('remove'),
    busy: a('removing'),
    keep: a('keepAsIs'),
    input: { type: 'text', autocomplete: 'off', maxlength: 256 },
    fits: (typed) => typed === name,
    closable: true,
    grave: true,
    send,
  });
}

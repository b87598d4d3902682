// What the dashboard asks about a connection, with refusals told in words: an operator hears what exactly is wrong and
// what to change, a user only what it means to them.
import { api, Problem } from './api.js';
import { lang, problem } from './words.js';

/** Problems whose `detail` tells an operator what to do. */
const ADVISING = ['evolution_unreachable', 'evolution_refused', 'evolution_not_configured', 'bad_input'];

/** `act` is a name of `actions.js`; answers what the server answered, throws an `Error` for the reader. */
export async function ask(act, { user, isOperator, number, signIn }) {
  try {
    return await api.of(isOperator ? user : null)[act](number);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401) signIn();
    throw new Error(told(error, isOperator));
  }
}

/** What to do is told in English; who reads Portuguese is first told in that what has happened. */
function told({ code, detail }, isOperator) {
  const advice = isOperator && ADVISING.includes(code) && detail;
  if (!advice) return problem(code);
  return lang() === 'en' ? advice : `${problem(code)} ${advice}`;
}

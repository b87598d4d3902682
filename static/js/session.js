// Signing in. A login code comes once, in the fragment, which leaves the address bar before anything else happens.
import { api, Problem } from './api.js';
import { problem } from './words.js';

/** Who is signed in, or `null` and why a code was refused (in words, when asked). A code that does not work is no reason to turn away a session that does. */
export async function open(code) {
  let refused = null;
  if (code)
    await api.login({ code }).catch((error) => {
      refused = error;
    });
  try {
    return { me: await api.me(), refused: null };
  } catch (error) {
    if (error.status !== 401) throw error;
    return { me: null, refused: refused && (() => problem(refused.code)) };
  }
}

/** What was typed may be an access token or a login code; the server tells. Throws with words for the reader. */
export async function signIn(typed) {
  try {
    await api.login({ token: typed }).catch((error) => {
      if (!(error instanceof Problem) || ![400, 401].includes(error.status)) throw error;
      return api.login({ code: typed });
    });
    return await api.me();
  } catch (error) {
    throw new Error(problem(error.status === 401 ? 'credentials_invalid' : error.code));
  }
}

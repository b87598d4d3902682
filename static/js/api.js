// The public HTTP API. The dashboard's only credential is its cookie, which no script sees; a page opened by a link
// shows that link's token instead, and no cookie.

/** A refusal or a failure, by its published code; `unreachable` when nothing answered. */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(code);
    Object.assign(this, { status, code, detail });
  }
}

/** How far the server's clock is ahead of this one, in ms; expiry times are the server's. */
let skew = 0;
export const serverNow = () => Date.now() + skew;

async function call(method, path, body, token) {
  const sent = Date.now();
  let answer;
  try {
    answer = await fetch(path, {
      method,
      credentials: token ? 'omit' : 'same-origin',
      headers: {
        Accept: 'application/json',
        ...(body && { 'Content-Type': 'application/json' }),
        ...(token && { Authorization: `Bearer ${token}` }),
      },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
  } catch {
    throw new Problem(0, 'unreachable');
  }
  readClock(answer.headers.get('Date'), sent);
  const json = await answer.json().catch(() => null);
  if (!answer.ok)
    throw new Problem(answer.status, json?.code ?? (answer.status >= 500 ? 'unreachable' : 'other'), json?.detail);
  return json;
}

/** `Date` has whole seconds: a difference under two is within its error and the journey's, and says nothing. */
function readClock(date, sent) {
  if (!date) return;
  const ahead = Date.parse(date) + 500 - (sent + Date.now()) / 2;
  skew = Math.abs(ahead) < 2000 ? 0 : ahead;
}

const own = (path, user) => (user ? `${path}?userId=${encodeURIComponent(user)}` : path);

/** What can be asked about one connection: a user's own, or for an operator that of the user it names. */
const connectionOf = (token, user) => {
  const ask = (method, path, body) => call(method, own(`/api/whatsapp/${path}`, user), body, token);
  return {
    instance: () => ask('GET', 'instance'),
    /** With a `number` (digits, with country code) the phone gets a code to type, too. */
    connect: (number) =>
      call('POST', '/api/whatsapp/connect', { ...(user && { userId: user }), ...(number && { number }) }, token),
    reconnect: () => ask('POST', 'reconnect'),
    unlink: () => ask('POST', 'disconnect'),
    scanned: () => ask('POST', 'scanned'),
    /** `null` once it is gone, else the instance that is still there. */
    remove: () => ask('DELETE', 'instance'),
  };
};

export const api = {
  me: () => call('GET', '/api/me'),
  login: (proof) => call('POST', '/api/login', proof),
  logout: () => call('POST', '/api/logout'),
  instances: () => call('GET', '/api/instances?limit=200'),
  /** `user` for operators only. */
  of: (user) => connectionOf(null, user),
};

/** What the user of a token may ask of their own connection. */
export const apiOf = (token) => connectionOf(token, null);

/** The demo's own controls; they exist only where the server says so. */
export const demoApi = {
  state: () => call('GET', '/demo'),
  phone: (instance, what) => call('POST', `/demo/phones/${encodeURIComponent(instance)}/${what}`),
  down: (seconds) => call('POST', '/demo/evolution/down', { seconds }),
};

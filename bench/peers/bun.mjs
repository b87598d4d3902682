// Bun's own server, a topic per user, in memory.
import { frameOf, isProven, port, userOf } from './common.mjs';

const server = Bun.serve({
  port,
  hostname: '127.0.0.1',
  maxRequestBodySize: 32 << 20,
  async fetch(request, server) {
    const { pathname } = new URL(request.url);
    if (pathname === '/health') return Response.json({ status: 'ok' });
    const authorization = request.headers.get('authorization');
    if (pathname === '/ws') {
      const user = userOf(authorization);
      const upgraded = user && server.upgrade(request, { data: { user } });
      return upgraded ? undefined : new Response(null, { status: 401 });
    }
    if (!pathname.startsWith('/webhook/')) return new Response(null, { status: 404 });
    if (!isProven(request.headers.get('x-webhook-secret'))) return new Response(null, { status: 401 });
    server.publish(pathname.slice('/webhook/'.length), JSON.stringify(frameOf(await request.json())));
    return Response.json({ status: 'ok' });
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      socket.subscribe(socket.data.user);
      socket.send('{"type":"hello"}');
    },
    message() {},
  },
});

process.once('SIGTERM', () => {
  server.stop(true);
  process.exit(0);
});

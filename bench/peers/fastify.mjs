// Fastify and ws, a set of sockets per user, in memory.
import Fastify from 'fastify';
import { WebSocketServer } from 'ws';
import { frameOf, isProven, port, userOf } from './common.mjs';

const app = Fastify({ bodyLimit: 32 << 20 });
const users = new Map();
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

app.get('/health', async () => ({ status: 'ok' }));
app.post('/webhook/:user', async (request, reply) => {
  if (!isProven(request.headers['x-webhook-secret'])) return reply.code(401).send();
  const frame = JSON.stringify(frameOf(request.body));
  for (const socket of users.get(request.params.user) ?? []) socket.send(frame);
  return { status: 'ok' };
});

app.server.on('upgrade', (request, raw, head) => {
  const user = userOf(request.headers.authorization);
  if (!user) return raw.destroy();
  sockets.handleUpgrade(request, raw, head, (socket) => {
    const theirs = users.get(user) ?? new Set();
    users.set(user, theirs.add(socket));
    socket.on('close', () => theirs.delete(socket));
    socket.send('{"type":"hello"}');
  });
});

await app.listen({ port, host: '127.0.0.1' });
process.once('SIGTERM', () => process.exit(0));

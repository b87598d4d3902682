// Express and Socket.IO, a room per user. With DATABASE_URL every event is in Postgres before it is answered.
import { createServer } from 'node:http';
import express from 'express';
import pg from 'pg';
import { Server } from 'socket.io';
import { frameOf, isProven, port, userOf } from './common.mjs';

const { DATABASE_URL } = process.env;
const pool = DATABASE_URL ? new pg.Pool({ connectionString: DATABASE_URL, max: 16 }) : undefined;
if (pool) {
  await pool.query('DROP TABLE IF EXISTS events');
  await pool.query('CREATE TABLE events (seq bigserial PRIMARY KEY, user_id text NOT NULL, body jsonb NOT NULL)');
}

const app = express();
const server = createServer(app);
const io = new Server(server, { transports: ['websocket'], serveClient: false, perMessageDeflate: false });

io.use((socket, next) => {
  const user = userOf(socket.handshake.headers.authorization);
  if (!user) return next(new Error('unauthorized'));
  socket.join(user);
  next();
});

app.disable('x-powered-by');
app.disable('etag');
app.get('/health', (_, response) => response.json({ status: 'ok' }));
app.post('/webhook/:user', express.json({ limit: '32mb' }), async (request, response) => {
  if (!isProven(request.headers['x-webhook-secret'])) return response.status(401).end();
  if (pool) {
    const insert = { name: 'insert', text: 'INSERT INTO events (user_id, body) VALUES ($1, $2)' };
    await pool.query({ ...insert, values: [request.params.user, request.body] });
  }
  io.to(request.params.user).emit('message', frameOf(request.body));
  response.json({ status: 'ok' });
});

server.listen(port, '127.0.0.1');
process.once('SIGTERM', () => process.exit(0));

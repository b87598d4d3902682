// What every peer does alike: check the webhook's proof and the socket's token, and make of an event what a page needs.
import { timingSafeEqual } from 'node:crypto';
import jwt from 'jsonwebtoken';

const { PORT, WEBHOOK_SECRET, JWT_SECRET } = process.env;

export const port = Number(PORT);

const bearer = (header) => (header ?? '').replace(/^Bearer /, '');

const secret = Buffer.from(WEBHOOK_SECRET);

/** Whether a webhook carries our secret: less than the signature that zapgate checks, as most such servers do it. */
export function isProven(header) {
  const given = Buffer.from(header ?? '');
  return given.length === secret.length && timingSafeEqual(given, secret);
}

/** The user that a socket's token names; undefined for none. */
export function userOf(header) {
  try {
    return jwt.verify(bearer(header), JWT_SECRET, { algorithms: ['HS256'] }).sub;
  } catch {
    return undefined;
  }
}

/** What the user's sockets are sent of an event: of a message what a page needs, all else as it came. */
export function frameOf({ event, instance, date_time: at, data }) {
  if (event !== 'messages.upsert') return { type: event, at, data };
  const { key, pushName, message, messageType, messageTimestamp } = data;
  return {
    type: 'message',
    at,
    data: {
      instanceName: instance,
      id: key.id,
      chatId: key.remoteJid,
      from: key.participant ?? key.remoteJid,
      fromMe: key.fromMe,
      pushName,
      kind: messageType,
      text: message.conversation ?? message[messageType]?.text ?? message[messageType]?.caption,
      timestamp: messageTimestamp,
    },
  };
}

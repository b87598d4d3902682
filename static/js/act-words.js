// The words of what can be done about a connection: the buttons, the questions before two of them, and the drawer.
import { teller } from './words.js';

const ACTS = {
  connect: ['Conectar', 'Connect'],
  again: ['Conectar de novo', 'Connect again'],
  newCode: ['Gerar novo código', 'Make a new code'],
  reconnect: ['Reconectar agora', 'Reconnect now'],
  useHere: ['Usar aqui', 'Use here'],
  show: ['Abrir o código', 'Open the code'],
  number: ['Conectar com código no celular', 'Connect with a code on the phone'],
  scanned: ['Li o código e nada aconteceu', 'I scanned it and nothing happened'],
  unlink: ['Desvincular', 'Unlink'], unlinkAsk: ['Desvincular…', 'Unlink…'],
  remove: ['Excluir', 'Delete'], removeAsk: ['Excluir…', 'Delete…'],
  more: ['Mais ações para {user}', 'More actions for {user}'],

  unlinkTitle: ['Desvincular o celular?', 'Unlink the phone?'],
  unlinkWhy: ['O celular esquece este aparelho, e as mensagens param de chegar. Para voltar, é preciso ler um novo código. A instância e as conversas guardadas ficam.', 'The phone forgets this device, and messages stop arriving. To return, a new code must be scanned. The instance and the stored conversations stay.'],
  unlinking: ['Desvinculando…', 'Unlinking…'],
  removeTitle: ['Excluir a instância?', 'Delete the instance?'],
  removeWhy: ['Ela é desvinculada do celular e apagada aqui e na Evolution. As conversas guardadas ficam.', 'It is unlinked from the phone and erased here and at Evolution. The stored conversations stay.'],
  removeLabel: ['Digite {name} para confirmar', 'Type {name} to confirm'],
  removeHint: ['É o nome da instância, exatamente como está escrito.', 'It is the instance’s name, exactly as written.'],
  removing: ['Excluindo…', 'Deleting…'],
  keepAsIs: ['Deixar como está', 'Keep as it is'],
  unlinked: ['{user}: desvinculando.', '{user}: unlinking.'],
  gone: ['{user}: instância excluída.', '{user}: instance deleted.'],

  close: ['Fechar', 'Close'],
  drawerConnected: ['Pronto. Pode fechar; a conexão continua.', 'Done. You can close this; the connection stays.'],
  linkedTo: ['Conectada a {who}', 'Connected to {who}'],
  nth: ['{n}º código desta vez', 'Code {n} of this turn'],
  numberWhy: ['Sem câmera à mão? O WhatsApp aceita um código de 8 letras e números, feito para este número.', 'No camera at hand? WhatsApp takes a code of 8 letters and digits, made for this number.'],
  numberLabel: ['Número do celular, com país e DDD', 'The phone’s number, with country code'],
  numberHint: ['Por exemplo: 55 11 98765-4321', 'For example: 55 11 98765-4321'],
  numberGo: ['Gerar código', 'Make the code'],
  numberBusy: ['Gerando…', 'Making it…'],
  numberBad: ['Digite de 8 a 15 algarismos, começando pelo código do país.', 'Type 8 to 15 digits, beginning with the country code.'],
  numberLate: ['O código ainda não chegou. Espere um pouco, ou leia o código QR.', 'The code has not come yet. Wait a little, or scan the QR code.'],
  typeIt: ['Digite no celular', 'Type it on the phone'],
  typeHow: ['{menu} → {link} → {number}', '{menu} → {link} → {number}'],
  byNumber: ['Conectar com número de telefone', 'Link with phone number instead'],
  wipe: ['Esperando a conexão anterior terminar, até meio minuto…', 'Waiting for the connection before to end, half a minute at most…'],
  passkey1: ['Abra o {app} no celular', 'Open {app} on the phone'],
  passkey2: ['Aceite o pedido de chave de acesso, com digital, rosto ou PIN', 'Accept the passkey request, by fingerprint, face or PIN'],
  passkey3: ['Peça um novo código e leia', 'Ask for a new code and scan it'],
};

export const a = teller(ACTS);

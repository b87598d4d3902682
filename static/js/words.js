// Every word of the page, in both languages. A sentence has its gaps in braces; see `sentence` in dom.js.
import { keep } from './dom.js';

/** status → family (the colour), and in each language the word, the reason, and what to know before doing anything. */
const STATES = {
  connected: { family: 'ok', pt: ['Conectada', 'Mensagens entrando e saindo.'], en: ['Connected', 'Messages flow both ways.'] },
  connecting: { family: 'move', pt: ['Conectando', 'Abrindo a conexão; costuma levar segundos.'], en: ['Connecting', 'Opening the connection; usually seconds.'] },
  waiting_qr: { family: 'move', pt: ['Esperando leitura', 'Há um código na tela de quem vai conectar.'], en: ['Waiting for scan', 'A code is on the screen of whoever connects.'] },
  finishing: { family: 'move', pt: ['Finalizando', 'Código lido; o celular está enviando as chaves.'], en: ['Finishing', 'Code scanned; the phone is sending its keys.'] },
  reconnecting: { family: 'move', pt: ['Reconectando', 'A conexão caiu e estamos tentando de novo.'], en: ['Reconnecting', 'The connection dropped and we are trying again.'] },
  flapping: { family: 'warn', pt: ['Instável', 'Cai e volta várias vezes; espaçamos as tentativas.'], en: ['Unstable', 'It keeps dropping and returning; tries are spaced out.'] },
  action_required: { family: 'warn', pt: ['Falta o dono', 'A conta pede uma chave de acesso no celular.'], en: ['Needs the owner', 'The account asks for a passkey on the phone.'] },
  logged_out: { family: 'warn', pt: ['Desvinculada', 'O aparelho foi removido; é preciso ler um novo código.'], en: ['Unlinked', 'The device was removed; a new code must be scanned.'] },
  conflict: { family: 'danger', pt: ['Aberta em outro lugar', 'Outro sistema usa este mesmo vínculo; não vamos disputar.'], en: ['Open elsewhere', 'Another system uses this same link; we do not fight it.'] },
  restricted: { family: 'danger', pt: ['Restrita', 'O WhatsApp limitou esta conta por um tempo.', 'Sem prazo informado. Tentar de novo só piora.'], en: ['Restricted', 'WhatsApp has limited this account for a while.', 'No end given. Trying again makes it worse.'] },
  failed: { family: 'danger', pt: ['Parou de tentar', 'As tentativas acabaram sem sucesso.'], en: ['Gave up', 'All tries ended without success.'] },
  disconnected: { family: 'off', pt: ['Desconectada', 'Nenhum celular vinculado.'], en: ['Not connected', 'No phone is linked.'] },
};

/** statusReason → the sentence in place of the state's own; used when the server sent none beside it. */
const REASONS = {
  by_owner: ['Desvinculada por aqui.', 'Unlinked from here.'],
  device_removed: ['O aparelho foi removido no celular.', 'The device was removed on the phone.'],
  logged_out_at_evolution: ['Alguém desvinculou direto na Evolution.', 'Somebody unlinked it at Evolution itself.'],
  qr_limit: ['Ninguém leu o código; pausamos os códigos.', 'Nobody scanned; codes are paused.'],
  pairing_timed_out: ['O código foi lido, mas a conexão não abriu.', 'The code was scanned, but the connection did not open.'],
  removed: ['A instância foi excluída. Conecte para começar de novo.', 'The instance was deleted. Connect to begin again.'],
  temporary_ban: ['Bloqueio temporário pelo WhatsApp.', 'Temporary block by WhatsApp.'],
  account_blocked: ['Conta bloqueada, ou o celular principal saiu. Abra o WhatsApp no celular.', 'Account blocked, or the main phone is gone. Open WhatsApp on the phone.'],
  account_banned: ['Conta banida pelo WhatsApp. Peça revisão no celular.', 'Account banned by WhatsApp. Ask for a review on the phone.'],
  opened_elsewhere: ['Outro sistema abriu este mesmo vínculo; não vamos disputar.', 'Another system opened this same link; we do not fight it.'],
  timed_out: ['O WhatsApp não respondeu a tempo; estamos tentando de novo.', 'WhatsApp did not answer in time; we are trying again.'],
  sign_in_again: ['O WhatsApp pediu para entrar de novo.', 'WhatsApp asked to sign in again.'],
  connection_closed: ['A rede fechou a conexão; estamos tentando de novo.', 'The network closed the connection; we are trying again.'],
  session_error: ['Erro na conversa com o WhatsApp; estamos tentando de novo.', 'Error while talking to WhatsApp; we are trying again.'],
  whatsapp_unavailable: ['O WhatsApp está fora do ar; estamos tentando de novo.', 'WhatsApp is unavailable; we are trying again.'],
  evolution_not_configured: ['A Evolution ainda não está configurada; webhooks já são aceitos.', 'Evolution is not set up yet; webhooks are accepted already.'],
  evolution_unreachable: ['A Evolution não respondeu. O problema não é do celular.', 'Evolution did not answer. The phone is not at fault.'],
  evolution_refused: ['A Evolution recusou o pedido: confira a chave e a versão.', 'Evolution refused the request: check its key and version.'],
  upgrade_evolution: ['A versão do servidor ficou velha para o WhatsApp.', 'The server version is too old for WhatsApp.'],
  whatsapp_unreachable: ['Sem caminho até o WhatsApp (rede ou DNS); volta sozinha.', 'No way to reach WhatsApp (network or DNS); it returns by itself.'],
  unlinking: ['Desvinculando o celular; falta a confirmação.', 'Unlinking the phone; not confirmed yet.'],
  removing: ['Excluindo; falta a confirmação.', 'Deleting; not confirmed yet.'],
  unconfirmed: ['O último pedido não foi confirmado. Tente de novo.', 'The last request was not confirmed. Try again.'],
  no_code: ['Nenhum código foi feito a tempo. Tente de novo.', 'No code was made in time. Try again.'],
  webhook_silent: ['O código foi feito, mas não chegou até aqui. Quem opera o servidor deve conferir WEBHOOK_URL.', 'A code was made, but did not arrive here. Whoever runs the server should check WEBHOOK_URL.'],
  session_wiped: ['Funciona, mas a sessão guardada se perdeu: na próxima queda será preciso ler um código. Conecte de novo quando puder.', 'It works, but the stored session is lost: the next drop will need a new code. Connect again when you can.'],
  passkey: ['A conta pede uma chave de acesso. Abra o WhatsApp no celular, confirme e leia o código de novo.', 'The account asks for a passkey. Open WhatsApp on the phone, confirm, and scan the code again.'],
  waiting_for_wipe: ['Esperando a conexão anterior terminar, até meio minuto.', 'Waiting for the connection before to end, half a minute at most.'],
  connection_lost: ['A conexão caiu e estamos tentando de novo.', 'The connection dropped and we are trying again.'],
  reconnecting_silently: ['Uma queda curta; deve voltar em segundos.', 'A short drop; it should be back in seconds.'],
};

/** How a live socket ended for good, or why it waits. */
const SOCKETS = {
  1001: ['O servidor está reiniciando; voltamos sozinhos.', 'The server is restarting; we return on our own.'],
  1008: ['Esta aba enviou demais e foi desligada.', 'This tab sent too much and was cut off.'],
  4001: ['Sua entrada venceu.', 'Your sign-in has expired.'],
  4003: ['Esta conta não tem acesso.', 'This account has no access.'],
  4008: ['A rede está lenta; buscando o que faltou.', 'The network is slow; fetching what was missed.'],
  4009: ['Há abas demais abertas (20). Feche outras abas.', 'Too many tabs are open (20). Close other tabs.'],
  4010: ['Esta tela ficou muda; voltamos sozinhos.', 'This screen fell silent; we return on our own.'],
};

/** What went wrong with a request, by the problem's published code. */
const PROBLEMS = {
  evolution_unreachable: REASONS.evolution_unreachable,
  evolution_refused: REASONS.evolution_refused,
  evolution_not_configured: REASONS.evolution_not_configured,
  not_found: ['Esta conexão não existe mais.', 'This connection is no longer there.'],
  not_yours: ['Você não tem acesso a esta conexão.', 'You have no access to this connection.'],
  overloaded: ['O servidor está ocupado. Tente de novo em instantes.', 'The server is busy. Try again in a moment.'],
  credentials_expired: ['Sua entrada venceu.', 'Your sign-in has expired.'],
  credentials_invalid: ['Este código de acesso não confere, ou já foi usado.', 'This access code is not right, or was already used.'],
  credentials_missing: ['Entre para continuar.', 'Sign in to continue.'],
  too_many_requests: ['Tentativas demais. Espere um minuto.', 'Too many tries. Wait a minute.'],
  bad_input: ['O servidor não aceitou este valor.', 'The server did not accept this value.'],
  admin_only: ['Só quem opera esta instalação pode fazer isso.', 'Only an operator of this installation may do that.'],
  unreachable: ['Nosso servidor não respondeu. Nada se perde; tente de novo.', 'Our server did not answer. Nothing is lost; try again.'],
  other: ['O servidor não conseguiu fazer isso.', 'The server could not do that.'],
};

const KINDS = {
  text: ['Texto', 'Text'], image: ['Imagem', 'Image'], video: ['Vídeo', 'Video'], audio: ['Áudio', 'Audio'], voice: ['Mensagem de voz', 'Voice message'],
  document: ['Documento', 'Document'], sticker: ['Figurinha', 'Sticker'], location: ['Localização', 'Location'], contact: ['Contato', 'Contact'],
  poll: ['Enquete', 'Poll'], poll_vote: ['Voto em enquete', 'Poll vote'], reaction: ['Reação', 'Reaction'], buttons: ['Botões', 'Buttons'], list: ['Lista', 'List'],
  event: ['Evento', 'Event'], group_invite: ['Convite para grupo', 'Group invitation'], product: ['Produto', 'Product'], other: ['Mensagem de outro tipo', 'Another kind of message'],
};

const ACKS = { pending: ['na fila', 'queued'], sent: ['enviada', 'sent'], delivered: ['entregue', 'delivered'], read: ['lida', 'read'], played: ['ouvida', 'played'], failed: ['não saiu', 'not sent'] };

const PAGE = {
  skip: ['Ir para as conexões', 'Go to the connections'],
  title: ['Conexões', 'Connections'],
  theme: ['Claro ou escuro', 'Light or dark'],
  leave: ['Sair', 'Sign out'],
  add: ['Conectar um número', 'Connect a number'],
  live: ['Ao vivo', 'Live'], again: ['Reconectando…', 'Reconnecting…'], stale: ['Parado desde {time}', 'Stale since {time}'],
  liveHere: ['ao vivo', 'live'], rest: ['em repouso', 'at rest'],
  position: ['posição {seq}', 'position {seq}'],
  sumOne: ['{up} de {all} conectada', '{up} of {all} connected'], sum: ['{up} de {all} conectadas', '{up} of {all} connected'],
  sumNeed: ['{n} pede alguém', '{n} needs a person'], sumNeeds: ['{n} pedem alguém', '{n} need a person'],
  more: ['Mostrando as primeiras {n}.', 'Showing the first {n}.'],
  none: ['Nenhum número ainda. Conecte o primeiro.', 'No number yet. Connect the first.'],
  slow: ['Ainda carregando', 'Still loading'],
  listFailed: ['A lista não chegou', 'The list did not arrive'],
  listFailedWhy: ['O servidor não respondeu. As conexões continuam ligadas; só esta tela ficou sem dados.', 'The server did not answer. The connections keep running; only this screen has no data.'],
  cutOff: ['Sem contato com o servidor desde {time}. Volta sozinho.', 'No contact with the server since {time}. It returns by itself.'],
  retry: ['Tentar de novo', 'Try again'], reload: ['Recarregar', 'Reload'], signInAgainWhat: ['Sua entrada venceu', 'Your sign-in has expired'], signInAgainWhy: ['O que está na tela é de antes; nada novo chega até você entrar.', 'What is on the screen is from before; nothing new arrives until you sign in.'],
  signInAgain: ['Entrar de novo', 'Sign in again'],
  next: ['Troca sozinho em {s}', 'Renews itself in {s}'],
  nextWhy: ['O código anterior venceu.', 'The code before has expired.'],
  firstWhy: ['O código para ler está sendo feito.', 'The code to scan is being made.'],
  nextSoon: ['O próximo código está chegando…', 'The next code is on its way…'],
  preparing: ['Preparando o código…', 'Preparing the code…'], preparing8: ['Ainda preparando. Costuma levar menos de 10 s.', 'Still preparing. It usually takes under 10 s.'],
  preparing45: ['A Evolution não mandou um código em 45 s. Não é o seu celular.', 'Evolution sent no code within 45 s. It is not your phone.'],
  qrAlt: ['Código QR para conectar {user}', 'QR code to connect {user}'],
  step1: ['Abra o {app} no celular', 'Open {app} on the phone'], step2: ['Entre em {menu}', 'Go to {menu}'], step3: ['Toque em {link} e aponte para o código', 'Tap {link} and point at the code'],
  menu: ['Aparelhos conectados', 'Linked devices'], link: ['Conectar um aparelho', 'Link a device'],
  pairing: ['Ou digite este código no celular', 'Or type this code on the phone'],
  fin1: ['Código lido', 'Code scanned'], fin2: ['Recebendo as chaves do celular', 'Receiving the keys from the phone'], fin3: ['Pronto para mensagens', 'Ready for messages'],
  finKeep: ['Deixe o WhatsApp aberto e o celular por perto.', 'Keep WhatsApp open and the phone close.'],
  spent: ['{s} de no máximo 2:00', '{s} of at most 2:00'],
  since: ['Desde {when}.', 'Since {when}.'], today: ['hoje, {time}', 'today, {time}'], yesterday: ['ontem, {time}', 'yesterday, {time}'],
  asking: ['Pedindo…', 'Asking…'], copy: ['Copiar', 'Copy'], copied: ['Copiado', 'Copied'], unconfirmed: ['Pedido feito, ainda sem confirmação.', 'Asked, not yet confirmed.'],
  messages: ['Mensagens de {user}', 'Messages of {user}'],
  quiet: ['As mensagens aparecem aqui no instante em que chegam.', 'Messages appear here the moment they arrive.'],
  new1: ['{n} nova', '{n} new'], news: ['{n} novas', '{n} new'],
  nameless: ['Sem nome nem número', 'No name, no number'], group: ['grupo', 'group'],
  late: ['atrasada', 'late'], edited: ['editada', 'edited'], deleted: ['Mensagem apagada', 'Message deleted'],
  reacted: ['reagiu com {emoji}', 'reacted with {emoji}'], reactions: ['Reações', 'Reactions'], unreacted: ['retirou a reação', 'removed the reaction'],
  call: ['Chamada de {who}', 'Call from {who}'], history: ['Histórico recebido: {n} mensagens', 'History received: {n} messages'],
  loginTitle: ['Entrar', 'Sign in'], loginWhy: ['Quem opera esta instalação entra com o código de acesso dela.', 'Whoever operates this installation signs in with its access code.'],
  loginLabel: ['Código de acesso', 'Access code'], loginHint: ['O valor de ADMIN_TOKEN, ou o código de entrada que o servidor mostrou ao iniciar.', 'The value of ADMIN_TOKEN, or the sign-in code that the server showed at its start.'],
  loginGo: ['Entrar', 'Sign in'], loginBusy: ['Entrando…', 'Signing in…'],
  connectTitle: ['Conectar um número', 'Connect a number'], connectWhy: ['Cada usuário tem uma conexão. Se ela já existe, é a mesma que se abre.', 'Each user has one connection. If it exists already, that one opens.'],
  connectLabel: ['Id do usuário', 'User id'], connectHint: ['De 1 a 128 letras sem acento, números, ponto, hífen ou _.', '1 to 128 plain letters, digits, dots, hyphens or _.'],
  connectGo: ['Conectar', 'Connect'], keep: ['Agora não', 'Not now'],
};

const listeners = new Set();

export const lang = () => (document.documentElement.lang === 'en' ? 'en' : 'pt-BR');
const column = () => (lang() === 'en' ? 1 : 0);

/** Of two the one in the reader's language. */
export const inLang = (pt, en) => [pt, en][column()];

/** The teller of a table of words: `t(key, gaps)` is the sentence named `key`, its gaps filled with plain text. */
export const teller = (table) => (key, gaps) => {
  const text = inLang(...table[key]);
  return gaps ? text.replace(/\{(\w+)\}/g, (all, name) => gaps[name] ?? all) : text;
};

export const t = teller(PAGE);

/** Reasons for which a state that is fine by itself needs a look. */
const WORRIES = ['session_wiped', 'unconfirmed'];

export function state(status, reason) {
  const row = STATES[status] ?? STATES.connecting;
  const [label, why, next] = row[lang() === 'en' ? 'en' : 'pt'];
  return { family: row.family === 'ok' && WORRIES.includes(reason) ? 'warn' : row.family, label, why, next };
}

/** The most exact reason known: the server's own sentence, else the code's, else the state's. */
export function why({ status, statusReason, statusText }) {
  const said = statusText?.[lang() === 'en' ? 'en' : 'pt'] ?? statusText?.[lang()];
  return said || REASONS[statusReason]?.[column()] || state(status).why;
}

export const socketEnd = (code) => SOCKETS[code]?.[column()] ?? null;
export const problem = (code) => (PROBLEMS[code] ?? PROBLEMS.other)[column()];
export const kind = (name) => (KINDS[name] ?? KINDS.other)[column()];
export const ack = (status) => ACKS[status]?.[column()] ?? null;
export const needsPerson = (status, reason) => ['warn', 'danger'].includes(state(status, reason).family) && status !== 'flapping';

export function setLang(value) {
  document.documentElement.lang = value;
  keep('zapgate.lang', value);
  listeners.forEach((listener) => listener());
}

export function onLang(listener) { listeners.add(listener); }

/** Puts words into the elements of the page that only carry a key. */
export function translate(root = document) {
  root.querySelectorAll('[data-t]').forEach((el) => { el.textContent = t(el.dataset.t); });
  root.querySelectorAll('[data-t-label]').forEach((el) => { el.ariaLabel = el.title = t(el.dataset.tLabel); });
}

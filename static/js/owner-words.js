// The words for the owner of one connection: no names of servers, no codes, and one next step.
import { inLang, teller } from './words.js';

/** What a scene says: mark, family (the colour), and in each language the title, the text, and what one press does. */
const SCENES = {
  finishing: { mark: 'finishing', family: 'move', pt: ['Código lido. Quase lá'], en: ['Code scanned. Almost there'] },
  reconnecting: { mark: 'reconnecting', family: 'move', pt: ['Reconectando', 'A conexão caiu e estamos tentando de novo. Você não precisa fazer nada.', 'Reconectar agora'], en: ['Reconnecting', 'The connection dropped and we are trying again. You need not do anything.', 'Reconnect now'] },
  flapping: { mark: 'flapping', family: 'warn', pt: ['Conexão instável', 'Ela cai e volta; estamos tentando com calma. Deixe o celular ligado e com internet.'], en: ['Unstable connection', 'It keeps dropping and returning; we are trying without haste. Keep the phone on and online.'] },
  action_required: { mark: 'action_required', family: 'warn', pt: ['Seu WhatsApp pede uma chave de acesso', 'É uma proteção da sua conta. Ela só pode ser confirmada no celular, com digital, rosto ou PIN.', 'Gerar novo código'], en: ['Your WhatsApp asks for a passkey', 'It protects your account, and only the phone can confirm it, by fingerprint, face or PIN.', 'Make a new code'] },
  connected: { mark: 'connected', family: 'ok', pt: ['Conectado', 'Pode fechar esta página. A conexão continua.'], en: ['Connected', 'You can close this page. The connection stays.'] },
  expired: { mark: 'clock', family: 'off', pt: ['Este código venceu', 'Códigos valem pouco tempo, por segurança. Peça outro quando estiver com o celular na mão.', 'Gerar novo código'], en: ['This code has expired', 'Codes live briefly, for safety. Ask for another when the phone is in your hand.', 'Make a new code'] },
  disconnected: { mark: 'disconnected', family: 'off', pt: ['Nenhum celular conectado', 'Tenha em mãos o celular que usa este número.', 'Conectar'], en: ['No phone is connected', 'Have the phone that uses this number at hand.', 'Connect'] },
  logged_out: { mark: 'logged_out', family: 'warn', pt: ['O celular foi desvinculado', 'Para voltar, leia um novo código.', 'Conectar de novo'], en: ['The phone was unlinked', 'To return, scan a new code.', 'Connect again'] },
  nocode: { mark: 'clock', family: 'warn', pt: ['O código não veio', 'O problema é nosso, não do seu celular.', 'Tentar de novo'], en: ['The code did not come', 'The problem is ours, not your phone’s.', 'Try again'] },
  unlinking: { mark: 'logged_out', family: 'move', pt: ['Desvinculando', 'Pedimos ao WhatsApp; falta a confirmação.'], en: ['Unlinking', 'WhatsApp was asked; it has not confirmed yet.'] },
  sure: { mark: 'logged_out', family: 'warn', pt: ['Desvincular o celular?', 'As mensagens param de chegar por aqui. Para voltar, será preciso ler um novo código. No celular nada se apaga.', 'Desvincular'], en: ['Unlink the phone?', 'Messages stop arriving here. To return, a new code must be scanned. Nothing is erased on the phone.', 'Unlink'] },
  conflict: { mark: 'conflict', family: 'danger', pt: ['Aberto em outro lugar', 'Outro sistema está usando este mesmo vínculo. Para não derrubar um ao outro, paramos aqui.', 'Usar aqui'], en: ['Open elsewhere', 'Another system is using this same link. So that neither knocks the other out, we have stopped here.', 'Use here'] },
  restricted: { mark: 'restricted', family: 'danger', pt: ['O WhatsApp limitou esta conta', 'Não é falha da conexão, e tentar de novo só piora. Use o WhatsApp normalmente no celular.'], en: ['WhatsApp has limited this account', 'The connection is fine, and trying again makes it worse. Use WhatsApp on the phone as usual.'] },
  failed: { mark: 'failed', family: 'danger', pt: ['Paramos de tentar', 'As tentativas acabaram sem sucesso. Veja se o celular está ligado e com internet.', 'Tentar de novo'], en: ['We stopped trying', 'All tries ended without success. See that the phone is on and online.', 'Try again'] },
  outdated: { mark: 'down', family: 'warn', pt: ['Nosso servidor precisa de atualização', 'O problema é nosso, não do seu celular. Avise quem mandou o link desta página.'], en: ['Our server needs an update', 'The problem is ours, not your phone’s. Tell whoever sent you the link to this page.'] },
  unready: { mark: 'down', family: 'warn', pt: ['Ainda não dá para conectar', 'Falta um ajuste do nosso lado, não no seu celular. Avise quem mandou o link desta página.'], en: ['Connecting is not possible yet', 'Something is still missing on our side, not on your phone. Tell whoever sent you the link to this page.'] },
  down: { mark: 'down', family: 'warn', pt: ['Nosso servidor não respondeu', 'O problema é nosso, não do seu celular. Nada se perde.', 'Tentar agora'], en: ['Our server did not answer', 'The problem is ours, not your phone’s. Nothing is lost.', 'Try now'] },
  busy: { mark: 'clock', family: 'warn', pt: ['Espere um pouco', 'Foram pedidos demais em pouco tempo. Tentamos de novo sozinhos.', 'Tentar agora'], en: ['Wait a moment', 'There were too many requests in a short time. We try again on our own.', 'Try now'] },
  crowded: { mark: 'clock', family: 'warn', pt: ['Há abas demais abertas', 'Feche as outras abas com esta página e tente de novo.', 'Tentar de novo'], en: ['Too many tabs are open', 'Close the other tabs of this page and try again.', 'Try again'] },
  halted: { mark: 'clock', family: 'warn', pt: ['Esta página parou de acompanhar', 'Ela pediu demais em pouco tempo. Nada se perde.', 'Continuar'], en: ['This page stopped following', 'It asked too much in a short time. Nothing is lost.', 'Go on'] },
  over: { mark: 'logged_out', family: 'off', pt: ['Este link não vale mais', 'Links de conexão valem por pouco tempo. Peça um novo link a quem mandou este.'], en: ['This link is no longer valid', 'Connection links work for a short time. Ask whoever sent this one for a new link.'] },
  denied: { mark: 'restricted', family: 'off', pt: ['Este link não serve para conectar', 'Ele não dá acesso a esta conexão. Peça um novo link a quem mandou este.'], en: ['This link cannot connect', 'It gives no access to this connection. Ask whoever sent this one for a new link.'] },
  linkless: { mark: 'logged_out', family: 'off', pt: ['Peça um novo link', 'Esta página só abre pelo link que você recebeu. Abra-o de novo; se não funcionar, peça outro a quem o mandou.'], en: ['Ask for a new link', 'This page opens only by the link that you were sent. Open it again; if it does not work, ask whoever sent it for another.'] },
};

/** The reason in place of the scene's text. */
const REASONS = {
  by_owner: ['Você desvinculou esta conexão. Para voltar, leia um novo código.', 'You unlinked this connection. To return, scan a new code.'],
  device_removed: ['Este aparelho foi removido no WhatsApp do celular. Para voltar, leia um novo código.', 'This device was removed in WhatsApp on the phone. To return, scan a new code.'],
  logged_out_at_evolution: ['Alguém desvinculou pelo servidor, não no seu celular. Para voltar, leia um novo código.', 'Somebody unlinked it at the server, not on your phone. To return, scan a new code.'],
  removed: ['Esta conexão foi excluída. Conecte para começar de novo.', 'This connection was deleted. Connect to begin again.'],
  session_wiped: ['Funciona, mas só até a próxima queda: aí será preciso ler um código. Conecte de novo quando estiver com o celular na mão.', 'It works, but only until the next drop: then a new code will be needed. Connect again when the phone is in your hand.'],
  unconfirmed: ['O último pedido ainda não foi confirmado. Se nada mudar, tente de novo.', 'The last request was not confirmed. If nothing changes, try again.'],
  webhook_silent: ['O código foi feito, mas não chegou até aqui. O problema é nosso; avise quem mandou o link desta página.', 'A code was made, but did not arrive here. The problem is ours; tell whoever sent you the link to this page.'],
  removing: ['A conexão está sendo excluída; falta a confirmação.', 'The connection is being deleted; not confirmed yet.'],
  pairing_timed_out: ['O código foi lido, mas a conexão não abriu. Tente de novo, com o WhatsApp aberto.', 'The code was scanned, but the connection did not open. Try again, with WhatsApp open.'],
  temporary_ban: ['É um bloqueio temporário. Tentar de novo só piora; use o WhatsApp normalmente no celular.', 'It is a temporary block. Trying again makes it worse; use WhatsApp on the phone as usual.'],
  account_blocked: ['A conta está bloqueada, ou o celular principal saiu. Abra o WhatsApp no celular e siga o que ele pede.', 'The account is blocked, or the main phone is gone. Open WhatsApp on the phone and do what it asks.'],
  account_banned: ['O WhatsApp baniu esta conta. Peça uma revisão no WhatsApp do celular.', 'WhatsApp has banned this account. Ask for a review in WhatsApp on the phone.'],
  evolution_refused: ['O problema é nosso, não do seu celular. Se continuar, avise quem mandou o link desta página.', 'The problem is ours, not your phone’s. If it goes on, tell whoever sent you the link to this page.'],
};

const OWNER = {
  title: ['Conectar o WhatsApp', 'Connect WhatsApp'],
  trust: ['Só quem tem o celular aprova. Você desliga quando quiser.', 'Only whoever holds the phone can approve. Unlink any time.'],
  qrAlt: ['Código QR para conectar o seu WhatsApp', 'QR code to connect your WhatsApp'],
  ready: ['O código está na tela.', 'The code is on the screen.'], preparing: ['Preparando o código.', 'Preparing the code.'],
  tabQr: ['Ler código', 'Scan code'], tabNumber: ['Usar número', 'Use number'],
  stepApp: ['Abra o {app} no celular', 'Open {app} on the phone'],
  stepAndroid: ['Toque em {dots} e em {menu}', 'Tap {dots}, then {menu}'],
  stepIphone: ['Toque em {settings} e em {menu}', 'Tap {settings}, then {menu}'],
  stepScan: ['Toque em {link} e aponte para o código', 'Tap {link} and point at the code'],
  stepMenu: ['No celular, abra {menu}', 'On the phone, open {menu}'],
  stepNumber: ['Toque em {link} e em {number}', 'Tap {link}, then {number}'],
  stepType: ['Digite o código acima', 'Type the code above'],
  settings: ['Configurações', 'Settings'],
  type: ['Digite este código no celular', 'Type this code on the phone'],
  scanned: ['Li o código e nada aconteceu', 'I scanned it and nothing happened'],
  typed: ['Digitei o código e nada aconteceu', 'I typed it and nothing happened'],
  unlink: ['Desvincular', 'Unlink'], keepAsIs: ['Deixar como está', 'Keep as it is'], again: ['Conectar de novo', 'Connect again'],
  numberTitle: ['Qual é o número deste celular?', 'What is this phone’s number?'],
  numberWhy: ['Com ele o WhatsApp aceita um código digitado, sem câmera.', 'With it WhatsApp takes a typed code, without a camera.'],
  stepAccept: ['Aceite o pedido de {key}', 'Accept the {key} request'], key: ['chave de acesso', 'passkey'],
  stepBack: ['Volte aqui e peça um novo código', 'Come back and ask for a new code'],
  waited: ['Esperando há {s}', 'Waiting for {s}'],
  nextTry: ['Nova tentativa em {s}', 'Next try in {s}'], tryNow: ['Tentando agora…', 'Trying now…'],
  listening: ['Se deixar esta página aberta, o código aparece aqui sozinho.', 'If you leave this page open, the code appears here by itself.'],
  stranger: ['Se você não reconhece o outro, remova-o em {menu}.', 'If you do not know the other one, remove it in {menu}.'],
  noEnd: ['Sem prazo informado', 'No end given'],
  since: ['desde {when}', 'since {when}'],
  endedAt: ['O link deixou de valer às {time}. A conexão não depende dele.', 'The link stopped working at {time}. The connection does not depend on it.'],
};

export const o = teller(OWNER);

/** `{ mark, family, title, text, press }` of a scene, the text as exact as the reason is known. */
export function scene(name, reason) {
  const { mark, family, ...said } = SCENES[name];
  const [title, text, press] = inLang(said.pt, said.en);
  const because = REASONS[reason];
  return { mark, family, title, text: because ? inLang(...because) : text, press };
}

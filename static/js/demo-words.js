// The words of the demo's own controls, which stand for people and machines that are not there.
import { teller } from './words.js';

const DEMO = {
  badge: ['Demonstração', 'Demo'],
  about: ['Nada aqui é de verdade: a Evolution e os celulares são simulados. Estes controles fazem o que pessoas e servidores fariam.', 'Nothing here is real: Evolution and the phones are simulated. These controls do what people and servers would do.'],
  phone: ['Celular de teste', 'Sample phone'],
  phoneOf: ['Celular de teste de {user}', 'Sample phone of {user}'],
  scan: ['Ler o código', 'Scan the code'],
  message: ['Receber mensagem', 'Get a message'],
  drop: ['Cair', 'Drop'],
  'remove-device': ['Remover aparelho', 'Remove device'],
  ban: ['Banir', 'Ban'],
  conflict: ['Abrir em outro lugar', 'Open elsewhere'],
  impossible: ['O celular não tem como fazer isso agora.', 'The phone cannot do this just now.'],
  down: ['Evolution fora por 1 min', 'Evolution down for 1 min'],
  isDown: ['Evolution fora; volta em {s}', 'Evolution is down; back in {s}'],
  isBack: ['Evolution no ar', 'Evolution is up'],
};

export const d = teller(DEMO);

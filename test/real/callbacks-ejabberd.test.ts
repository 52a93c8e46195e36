import { callbacksThrough } from './callbacks-through.ts';
import { startEjabberd } from './ejabberd.ts';

callbacksThrough('ejabberd', startEjabberd);

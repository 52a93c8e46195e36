import { startEjabberd } from './ejabberd.ts';
import { uploadsThrough } from './uploads-through.ts';

uploadsThrough('ejabberd', startEjabberd);

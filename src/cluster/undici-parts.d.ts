// Two parts of undici that its index offers as one: a client of one connection, and a request on it.
declare module 'undici/lib/dispatcher/client.js' {
  export {Client as default} from 'undici';
}

declare module 'undici/lib/api/api-request.js' {
  import type {Client, Dispatcher} from 'undici';

  export default function request(
    this: Client,
    options: Dispatcher.RequestOptions,
  ): Promise<Dispatcher.ResponseData>;
}

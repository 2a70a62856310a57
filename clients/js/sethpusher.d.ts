/** Any JSON value, as it was published. */
export type Message = any;

/** A place in the publications of a channel. */
export interface Position {
  /** Names the stream; another one means that the stream was made anew. */
  epoch: string;
  /** Grows by one with each publication. */
  offset: number;
}

/** A publication in a channel. */
export interface Publication<M = Message> {
  message: M;
  /** What the publisher says of itself; a client: its subscriber_id. */
  sender_id: any;
  channel: string;
  /** Where the channel keeps history. */
  epoch?: string;
  offset?: number;
}

/** A message to a user. */
export interface PersonalMessage<M = Message> {
  message: M;
  /** What the publisher says of itself; a client: its subscriber_id. */
  sender_id: any;
  target_id: string;
}

/** Somebody has come or gone. */
export interface Notice {
  type: "connect" | "disconnect" | "subscribe" | "unsubscribe";
  subscriber_id: string | null;
  body: string;
}

export interface Subscribed {
  /** Whether everything since the last time, or since `since`, comes; null if there was nothing to recover. */
  recovered: boolean | null;
  /** Where the channel stands; null where it keeps no history. */
  position: Position | null;
}

/** Publications are missing here: after `from`, up to and including `to`. */
export interface Gap {
  /**
   * - `unrecovered`: while the client was away, and the server has not kept all of it (without history: nothing);
   * - `hole`: while connected, which the client saw by the offsets;
   * - `dropped`: the server dropped `count` messages, because the client did not keep up;
   * - `position`, `gap`: the server says that it has lost some itself.
   */
  reason: "unrecovered" | "hole" | "dropped" | "position" | "gap";
  /** The last position seen; null where there is none. */
  from: Position | null;
  /** The position after which the channel goes on; null where there is none. */
  to: Position | null;
  /** How many, if the server has said so. */
  count?: number;
}

export interface SubscriptionHandlers<M = Message> {
  /** A publication: what was published, and all that came with it. In order, and each once. */
  message?(message: M, publication: Publication<M>): unknown;
  /** Joined: at first, after each reconnect, and when a hole was to be closed. Comes before what was recovered. */
  subscribed?(answer: Subscribed): unknown;
  /** Publications are missing between the one before and the one after. */
  gap?(gap: Gap): unknown;
  /** The server has refused the subscription, which has ended. Without this handler the event `error` tells. */
  error?(error: SethPusherError): unknown;
}

export interface SubscribeOptions {
  /** Go on from this position, as if the client had been connected since. */
  since?: Position | null;
  /** What others may read of this member in the channel's presence: JSON, up to 1 KiB. */
  info?: unknown;
}

export interface PublishOptions {
  /** Whether it comes to this connection, too, if it is subscribed. Default: true. */
  echo?: boolean;
  /** Makes it harmless to publish the same again, when the answer was lost. */
  idempotencyKey?: string;
}

export interface Published {
  id: string;
  /** Null where the channel keeps no history. */
  position: Position | null;
}

export interface Presence {
  people: { subscriber_id: string; connections: number; info?: unknown }[];
  /** Connections that have not said who they are. */
  anonymous: number;
}

export interface HistoryOptions {
  /** How many at the most. Default: 100; 0 gives the position alone. */
  limit?: number;
  /** Only what is newer than this; with `reverse`: older. */
  since?: Position | null;
  /** Newest first. */
  reverse?: boolean;
}

export interface History<M = Message> {
  publications: Publication<M>[];
  /** Where the channel stands: subscribe with it as `since`, and nothing falls between. */
  position: Position;
  /** Whether nothing is missing after `since`. */
  recovered: boolean;
}

export interface Disconnected {
  /** As the server gave it; 1006: without a word, 1000: by the client. */
  code: number;
  reason: string;
  /** Whether the client comes back by itself. */
  reconnect: boolean;
  /** Milliseconds until then; null if it does not. */
  delay: number | null;
  /** Why the client itself has ended it, if it has. */
  error?: Error;
}

export interface Events {
  /** An attempt begins. */
  connecting(): unknown;
  /** Connected, and the subscriptions are sent. */
  connected(): unknown;
  /** The connection, or an attempt, has ended. */
  disconnected(details: Disconnected): unknown;
  /** A message to the user. */
  message(message: Message, envelope: PersonalMessage): unknown;
  /** Somebody has come to a channel that the client is in, or gone. */
  notice(notice: Notice): unknown;
  /** What the client does not know, such as a message that a plugin sends. */
  other(message: any): unknown;
  /** A handler has failed, the server complains without an `id`, ... Without a handler: console.error. */
  error(error: Error): unknown;
}

/** A constructor of sockets that look like WebSockets. */
export type SocketConstructor = new (url: string) => any;

export interface Options {
  /** Who this is. Without it, and without a token, the client stays anonymous. */
  subscriberId?: string | number;
  /** Goes along when the client says who it is. */
  token?: string;
  /** Gives a token for each connection, and when one is about to expire. If it fails, the attempt fails. */
  getToken?(): string | undefined | Promise<string | undefined>;
  /** In place of the global one, which Node 20 does not have. */
  WebSocket?: SocketConstructor;
  /** Connect with SockJS instead. */
  SockJS?: SocketConstructor;
  /** Milliseconds for a connection, and for each answer. Default: 10,000. */
  timeout?: number;
  /** The first wait before coming back is random between 0 and this; it doubles each time. Default: 1,000 ms. */
  minDelay?: number;
  /** The longest. Default: 30,000 ms. */
  maxDelay?: number;
  /** Milliseconds of silence after which the server is asked for a sign of life. Default: 25,000; 0: never. */
  pingInterval?: number;
  /** Close codes from 4000 to 4999 after which to come back. */
  comeBackOn?: number[];
}

/** What promises are rejected with. */
export class SethPusherError extends Error {
  /** The server's code (docs/wire.md), or a word for what happened on this side. */
  readonly code: number | "timeout" | "disconnected" | "unsubscribed" | "duplicate";
  /** Whether the same may succeed later. */
  readonly temporary: boolean;
  constructor(code: SethPusherError["code"], message: string);
}

/** A connection that comes back, and the channels that are subscribed to over it. */
export class SethPusher {
  /**
   * @param url The server, such as `https://push.example.com`; with a path: its endpoint, if that is not `/connect`.
   */
  constructor(url: string | URL, options?: Options);

  /** `connecting` also between two attempts. */
  readonly state: "disconnected" | "connecting" | "connected";

  /** Calls a handler with each event of a kind; gives a function that ends that. */
  on<E extends keyof Events>(event: E, handler: Events[E]): () => void;

  /**
   * Connects, and stays connected until close(). Between two attempts it tries at once. Rejected when the client gives
   * up: refused, closed with a code that says not to come back, or closed by the application.
   */
  connect(): Promise<void>;

  /** Ends everything: the connection, its coming back, and all subscriptions. */
  close(): void;

  /**
   * Subscribes to a channel, now and after each reconnect. The promise is settled by the server's first answer, however
   * many connections that takes. Throws if the channel is subscribed to already.
   */
  subscribe<M = Message>(
    channel: string | number,
    handlers: SubscriptionHandlers<M> | SubscriptionHandlers<M>["message"],
    options?: SubscribeOptions,
  ): Promise<Subscribed>;

  /** Leaves a channel: nothing more of it comes from now on. */
  unsubscribe(channel: string | number): Promise<void>;

  /** The last position seen in a channel; null where there is none. */
  position(channel: string | number): Position | null;

  /** Publishes in a channel, where its rule lets clients. */
  publish(channel: string | number, message: Message, options?: PublishOptions): Promise<Published>;

  /** Who is in a channel, where it keeps presence. */
  presence(channel: string | number): Promise<Presence>;

  /** Reads a channel back, where it keeps history. */
  history<M = Message>(channel: string | number, options?: HistoryOptions): Promise<History<M>>;

  /** Asks the server for a sign of life; gives the milliseconds that it took. */
  ping(): Promise<number>;

  /** Sends any message, such as one that a plugin handles; gives the whole `ack`. */
  request(message: { type: string; [field: string]: unknown }): Promise<any>;
}

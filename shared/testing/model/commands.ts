import type { ListKind } from '@tideline/shared/feed-lists';
import type { Change, Mark } from './reference-model.js';

/** Users of a history are numbered; in print they are letters. */
export const userCount = 6;

export type Strategy = 'hybrid' | 'push' | 'pull';

/** What a client does. `ingest` and `feedApi` say which of the two processes it asks. */
export type Command =
  | Publish
  | Retry
  | Delete
  | Relate
  | Flip
  | Storm
  | Crowd
  | Expire
  | Read
  | GoOn
  | ReadNotifications
  | MarkNotifications
  | Cut;

export interface Publish {
  kind: 'publish';
  actor: number;
  count: number;
  /** Milliseconds before the history began; undefined: no timestamp is given. */
  agoMs: number | undefined;
  to: readonly number[] | undefined;
  /** Likes of what is this user's; undefined: posts. */
  likes: number | undefined;
  /** What makes it safe to repeat. A foreign id needs a timestamp. */
  by: 'foreign id' | 'key' | 'nothing';
  /** Delete it before it is published; only with a foreign id, which says what its id will be. */
  deletedFirst: boolean;
  ingest: number;
}

/** Sends an earlier publication again; `altered`: with another audience, which must not count. */
export interface Retry {
  kind: 'retry';
  /** Counted back from the last publication that can be repeated. */
  back: number;
  altered: boolean;
  ingest: number;
}

export interface Delete {
  kind: 'delete';
  /** Counted back from the last post. */
  back: number;
  /** undefined: whose post it is. */
  caller: number | undefined;
  ingest: number;
}

export interface Relate {
  kind: Change;
  user: number;
  other: number;
  ingest: number;
}

/** Unfollows, and follows again at once at the other ingest. */
export interface Flip {
  kind: 'flip';
  user: number;
  other: number;
  ingest: number;
}

/** Unfollows and follows again and again, while the inbox expires and is read all the time. */
export interface Storm {
  kind: 'storm';
  reader: number;
  other: number;
  flips: number;
  ingest: number;
  feedApi: number;
}

/** Everybody but `stay` of the others follows the author, or nobody but them any more. */
export interface Crowd {
  kind: 'gather' | 'leave';
  author: number;
  stay: number;
  ingest: number;
}

/** What expiry does to keys of a user that was away. */
export interface Expire {
  kind: 'expire';
  user: number;
  what: ListKind | 'register';
}

export interface Read {
  kind: 'read';
  reader: number;
  strategy: Strategy;
  limit: number;
  pages: number;
  /** The reader's inbox expires right before. */
  cold: boolean;
  /** The commands that follow do not wait for it. */
  meanwhile: boolean;
  feedApi: number;
}

/** Reads on from where an earlier walk ended. */
export interface GoOn {
  kind: 'go on';
  back: number;
  limit: number;
  pages: number;
  feedApi: number;
}

/** A stream of the history loses its connection, and is opened again where it was. */
export interface Cut {
  kind: 'cut';
  view: number;
}

/** Reads notifications from the top. */
export interface ReadNotifications {
  kind: 'notifications';
  reader: number;
  limit: number;
  pages: number;
  /** The reader's list expires right before. */
  cold: boolean;
  /** The commands that follow do not wait for it. */
  meanwhile: boolean;
  feedApi: number;
}

/** Marks a notification of the first page, and with it all older ones or just the newest. */
export interface MarkNotifications {
  kind: 'mark';
  reader: number;
  as: Mark;
  how: 'up to' | 'ids';
  /** Counted from the last of the page. */
  back: number;
  feedApi: number;
}

export function userLetter(user: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + user);
}

/** A command as a sentence. */
export function describeCommand(command: Command): string {
  switch (command.kind) {
    case 'publish':
      return describePublish(command);
    case 'retry':
      return `${again(command.back, 'publication')} is sent again${command.altered ? ', to others' : ''}${via(command)}`;
    case 'delete':
      return `${command.caller === undefined ? 'its actor' : userLetter(command.caller)} deletes ${again(command.back, 'post')}${via(command)}`;
    case 'flip':
      return `${userLetter(command.user)} unfollows ${userLetter(command.other)}${via(command)}, and follows again at the other`;
    case 'storm':
      return `${userLetter(command.reader)} unfollows and follows ${userLetter(command.other)} ${command.flips} times, while its inbox expires and is read all the time, at feed-api ${command.feedApi}`;
    case 'gather':
      return `all but ${command.stay} follow ${userLetter(command.author)}${via(command)}`;
    case 'leave':
      return `all but ${command.stay} unfollow ${userLetter(command.author)}${via(command)}`;
    case 'expire':
      return `the ${command.what} of ${userLetter(command.user)} expires`;
    case 'read':
      return `${userLetter(command.reader)} reads ${command.pages} pages of ${command.limit}, ${command.strategy}${command.cold ? ', inbox expired' : ''}${command.meanwhile ? ', meanwhile' : ''}, at feed-api ${command.feedApi}`;
    case 'cut':
      return `stream ${command.view} is cut off`;
    case 'notifications':
      return `${userLetter(command.reader)} reads ${command.pages} pages of ${command.limit} notifications${command.cold ? ', list expired' : ''}${command.meanwhile ? ', meanwhile' : ''}, at feed-api ${command.feedApi}`;
    case 'mark':
      return `${userLetter(command.reader)} marks ${again(command.back, 'notification of a page')} as ${command.as}, by ${command.how}, at feed-api ${command.feedApi}`;
    case 'go on':
      return `${again(command.back, 'walk')} goes on with ${command.pages} pages of ${command.limit}, at feed-api ${command.feedApi}`;
    default:
      return `${userLetter(command.user)} ${command.kind}s ${userLetter(command.other)}${via(command)}`;
  }
}

function describePublish({ actor, count, agoMs, to, likes, by, deletedFirst, ingest }: Publish): string {
  return [
    `${userLetter(actor)} ${likes === undefined ? 'publishes' : `likes ${userLetter(likes)}’s note,`} ${count}`,
    agoMs === undefined ? 'now' : `of ${agoMs} ms ago`,
    ...(to === undefined ? [] : [`to ${to.map(userLetter).join('')}`]),
    ...(by === 'nothing' ? [] : [`by ${by}`]),
    ...(deletedFirst ? ['after deleting them'] : []),
    `at ingest ${ingest}`,
  ].join(', ');
}

function again(back: number, what: string): string {
  return back === 0 ? `the last ${what}` : `the last ${what} but ${back}`;
}

function via({ ingest }: { ingest: number }): string {
  return `, at ingest ${ingest}`;
}

import type { FeedItem } from '@tideline/shared/activity';
import { queryOf } from '@tideline/shared/http/validate';
import type { Request } from 'express';
import type { FeedPage, GroupActor } from '../feed/feed-page.js';
import { activityStreamsContext, activityTypeOf, objectTypeOf, publicCollection } from './activity-vocabulary.js';
import type { PublicLinks } from './public-links.js';

/**
 * Items as W3C Activity Streams 2.0 writes them (D4), in the same links and the same order as the pages in plain JSON.
 * Metadata is not shown: it is the producer's own, and has no meaning in the vocabulary.
 */

export function activityStreamsPage(request: Request, links: PublicLinks, page: FeedPage) {
  const { items, targeted, groupActors, previous, next } = page;
  return {
    '@context': activityStreamsContext,
    id: links.page(request, queryOf(request.url)['cursor']),
    type: 'OrderedCollectionPage',
    // The first page has the same address as what it is the first page of, but for this.
    partOf: {
      id: `${links.to(request, request.path)}#collection`,
      type: 'OrderedCollection',
      first: links.page(request),
    },
    ...(previous === null ? {} : { prev: links.page(request, previous) }),
    ...(next === null ? {} : { next: links.page(request, next) }),
    orderedItems: items.map((item) =>
      activityOf(request, links, item, !targeted.has(item.id), groupActors.get(item.id)),
    ),
  };
}

/** `isPublic`: not just for those that the activity names. */
export function activityStreamsActivity(request: Request, links: PublicLinks, item: FeedItem, isPublic: boolean) {
  return { '@context': activityStreamsContext, ...activityOf(request, links, item, isPublic) };
}

interface VocabularyObject {
  id: string;
  type: string;
  objectType: string;
  name?: string;
  inReplyTo?: string;
}

/** `actors`: of a group, who did it. */
function activityOf(
  request: Request,
  links: PublicLinks,
  item: FeedItem,
  isPublic: boolean,
  actors?: readonly GroupActor[],
) {
  const { id, actorId, actorName, actorAvatar, verb, timestamp, targetType, targetId, targetTitle } = item;
  const url = links.to(request, `/v1/activities/${id}`);
  const told = objectOf(request, links, item.objectType, item.objectId, item.objectTitle);
  const target =
    targetType === undefined || targetId === undefined
      ? undefined
      : objectOf(request, links, targetType, targetId, targetTitle);
  return {
    id: url,
    type: activityTypeOf(verb),
    verb,
    actor:
      actors?.map((actor) => personOf(request, links, actor)) ??
      personOf(request, links, { id: actorId, name: actorName, avatar: actorAvatar }),
    object: verb === 'comment' ? commentOf(url, told, target) : told,
    ...(target === undefined ? {} : { target }),
    ...(isPublic ? { to: publicCollection } : {}),
    published: new Date(timestamp).toISOString(),
  };
}

function personOf(request: Request, links: PublicLinks, { id, name, avatar }: GroupActor) {
  return {
    id: userUrl(request, links, id),
    type: 'Person',
    name,
    ...(avatar === null ? {} : { icon: { type: 'Image', url: avatar } }),
  };
}

/** What a comment creates: a note in reply to what is commented on, unless that is the target of a comment with an id. */
function commentOf(activityUrl: string, told: VocabularyObject, target: VocabularyObject | undefined) {
  if (told.objectType === 'comment' && target !== undefined) {
    return { ...told, inReplyTo: target.id };
  }
  return { id: `${activityUrl}#note`, type: 'Note', objectType: 'comment', inReplyTo: told };
}

function objectOf(
  request: Request,
  links: PublicLinks,
  objectType: string,
  objectId: string,
  title: string | undefined,
): VocabularyObject {
  const id = objectType === 'user' ? userUrl(request, links, objectId) : objectUrn(objectType, objectId);
  return { id, type: objectTypeOf(objectType), objectType, ...(title === undefined ? {} : { name: title }) };
}

function userUrl(request: Request, links: PublicLinks, userId: string): string {
  return links.to(request, `/v1/users/${encode(userId)}`);
}

function objectUrn(type: string, id: string): string {
  return `urn:tideline:${encode(type)}:${encode(id)}`;
}

/** Half a surrogate pair, which JSON can bring, cannot be encoded: it becomes the replacement character. */
function encode(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}

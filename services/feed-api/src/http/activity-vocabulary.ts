/**
 * What our words are called in the W3C's Activity Vocabulary. Types whose meaning is not the same are not in it: what
 * has no entry is an `Activity` or an `Object`, and its own word is always there beside the type.
 */

const activityTypes: ReadonlyMap<string, string> = new Map([
  ['accept', 'Accept'],
  ['add', 'Add'],
  ['announce', 'Announce'],
  ['comment', 'Create'],
  ['create', 'Create'],
  ['dislike', 'Dislike'],
  ['flag', 'Flag'],
  ['follow', 'Follow'],
  ['ignore', 'Ignore'],
  ['invite', 'Invite'],
  ['join', 'Join'],
  ['leave', 'Leave'],
  ['like', 'Like'],
  ['listen', 'Listen'],
  ['move', 'Move'],
  ['offer', 'Offer'],
  ['post', 'Create'],
  ['read', 'Read'],
  ['reject', 'Reject'],
  ['remove', 'Remove'],
  ['repost', 'Announce'],
  ['share', 'Announce'],
  ['view', 'View'],
]);

const objectTypes: ReadonlyMap<string, string> = new Map([
  ['article', 'Article'],
  ['audio', 'Audio'],
  ['comment', 'Note'],
  ['document', 'Document'],
  ['event', 'Event'],
  ['group', 'Group'],
  ['image', 'Image'],
  ['note', 'Note'],
  ['page', 'Page'],
  ['photo', 'Image'],
  ['place', 'Place'],
  ['post', 'Note'],
  ['user', 'Person'],
  ['video', 'Video'],
]);

export function activityTypeOf(verb: string): string {
  return activityTypes.get(verb) ?? 'Activity';
}

export function objectTypeOf(objectType: string): string {
  return objectTypes.get(objectType) ?? 'Object';
}

export const vocabularyUrl = 'https://www.w3.org/ns/activitystreams';
/** The collection of everybody: what is addressed to it is public. */
export const publicCollection = `${vocabularyUrl}#Public`;

/** Terms of the vocabulary, and ours beside them: the verb and the type of an object as their producer wrote them. */
export const activityStreamsContext = [
  vocabularyUrl,
  { tideline: 'urn:tideline:ns:', verb: 'tideline:verb', objectType: 'tideline:objectType' },
] as const;

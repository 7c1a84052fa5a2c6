const text = 'What an ordinary post says, at an ordinary length, so that it weighs what posts weigh on their way. ';

/** The activity number `i` of a backlog, some 300 bytes of JSON; authors take turns. */
export function postBody(authors: readonly string[], i: number) {
  return {
    actorId: authors[i % authors.length] ?? '',
    verb: 'post',
    objectType: 'note',
    objectId: `note-${i}`,
    objectTitle: text,
    metadata: { summary: text, client: 'bench', sequence: i },
  };
}

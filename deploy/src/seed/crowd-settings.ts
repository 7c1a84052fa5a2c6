import { TidelineError } from '@tideline/shared/errors';

/** All that a crowd is made of: the same settings make the same crowd. */
export interface CrowdSettings {
  seed: number;
  users: number;
  posts: number;
  likes: number;
  /** How many others a user follows on average. */
  followsPerUser: number;
}

export interface CrowdRequest extends Omit<CrowdSettings, 'likes'> {
  /** Undefined: `likesPerPost` of them. */
  likes: number | undefined;
  /** Multiplies users, posts and likes. */
  scale: number;
}

const likesPerPost = 2;
/** Likes are drawn until there is one that was not yet there, so they must be few beside all that there could be. */
const likedShareMax = 0.25;

/** What fits into the memory of one process. */
const usersMax = 1_000_000;
const activitiesMax = 5_000_000;
const followsMax = 20_000_000;

/** Throws `configuration` for a crowd that cannot be. */
export function crowdSettings(request: CrowdRequest): CrowdSettings {
  const { seed, scale, followsPerUser } = request;
  const users = Math.round(request.users * scale);
  const posts = Math.round(request.posts * scale);
  const likesMax = Math.floor(users * posts * likedShareMax);
  const likes =
    request.likes === undefined ? Math.min(posts * likesPerPost, likesMax) : Math.round(request.likes * scale);
  requireAtMost('users', users, usersMax);
  requireAtMost('posts', posts, activitiesMax);
  requireAtMost('likes', likes, Math.min(activitiesMax, likesMax));
  requireAtMost('follows', users * followsPerUser, followsMax);
  if (users < 2) {
    throw new TidelineError('configuration', 'A crowd has at least 2 users.');
  }
  return { seed, users, posts, likes, followsPerUser };
}

function requireAtMost(what: string, count: number, max: number): void {
  if (count > max) {
    throw new TidelineError('configuration', `${count} ${what} are too many: at most ${max} are possible here.`);
  }
}

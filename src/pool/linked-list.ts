/** A doubly linked list whose nodes are its members: O(1) removal from anywhere, no allocation. */

/**
 * What can stand in one list at a time. Of what is made for each request the class has these fields itself: engines do not
 * inline constructors that call another one.
 */
export interface ListMember {
  /** @internal */ list: LinkedList<ListMember> | null;
  /** @internal */ previous: ListMember | null;
  /** @internal */ next: ListMember | null;
}

/** A member that knows how to leave. */
export class ListNode implements ListMember {
  /** @internal */ list: LinkedList<ListMember> | null = null;
  /** @internal */ previous: ListMember | null = null;
  /** @internal */ next: ListMember | null = null;

  /** Whether it stands in a list. */
  get linked(): boolean {
    return this.list !== null;
  }

  /** Leaves its list, if it is in one. */
  unlink(): void {
    this.list?.remove(this);
  }
}

/** A node for something that stands in more than one list. */
export class Link<T> extends ListNode {
  readonly value: T;

  constructor(value: T) {
    super();
    this.value = value;
  }
}

/** Oldest first. */
export class LinkedList<N extends ListMember> {
  #first: N | null = null;
  #last: N | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): N | null {
    return this.#first;
  }

  get last(): N | null {
    return this.#last;
  }

  /** Puts `node` behind the last one; it must not be in a list. */
  push(node: N): void {
    node.list = this as unknown as LinkedList<ListMember>;
    node.previous = this.#last;
    if (this.#last === null) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
    this.#size++;
  }

  /** Puts `node` before the first one; it must not be in a list. */
  unshift(node: N): void {
    node.list = this as unknown as LinkedList<ListMember>;
    node.next = this.#first;
    if (this.#first === null) this.#last = node;
    else this.#first.previous = node;
    this.#first = node;
    this.#size++;
  }

  /** Takes `node` out; it must be in this list. */
  remove(node: N): void {
    const { previous, next } = node;
    if (previous === null) this.#first = next as N | null;
    else previous.next = next;
    if (next === null) this.#last = previous as N | null;
    else next.previous = previous;
    node.list = node.previous = node.next = null;
    this.#size--;
  }

  /** Oldest first; the current member may leave during the walk. */
  *[Symbol.iterator](): IterableIterator<N> {
    for (let node = this.#first; node !== null; ) {
      const next = node.next as N | null;
      yield node;
      node = next;
    }
  }
}

// What every view is.

import type { Address } from "../address";

export interface Surroundings {
  /** Whatever the view still asks is given up by this. */
  signal: AbortSignal;
  /** Shows another address; `isSame` if it is the same view, narrowed down. */
  go(change: Partial<Address>, isSame?: boolean): void;
}

export type Show = (into: HTMLElement, address: Address, around: Surroundings) => void | Promise<void>;

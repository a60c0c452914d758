// SPDX-License-Identifier: MIT

// A garbage collector under load: several goroutines allocate, drop and check what they keep.
package main

import (
	"fmt"
	"hash/crc32"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
)

const workers = 4

// A node of a binary tree.
type tree struct {
	left, right *tree
	payload     []byte
}

func grow(depth int) *tree {
	if depth == 0 {
		return &tree{payload: []byte{1}}
	}
	return &tree{grow(depth - 1), grow(depth - 1), make([]byte, depth)}
}

func (it *tree) count() int {
	if it == nil {
		return 0
	}
	return 1 + it.left.count() + it.right.count() + len(it.payload)
}

func main() {
	runtime.GOMAXPROCS(workers)
	debug.SetGCPercent(30)
	kept := grow(10)
	sums := make([]int, workers)
	var group sync.WaitGroup
	for i := range sums {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			sums[worker] = trees(worker) + words(worker) + blocks(worker)
		}(i)
	}
	for i := 0; i < 3; i++ {
		runtime.GC()
	}
	group.Wait()
	fmt.Println("kept:", kept.count(), "sums:", sums)
	finalizers()
	stacks()
	debug.FreeOSMemory()
	var told runtime.MemStats
	runtime.ReadMemStats(&told)
	fmt.Println("collected:", told.NumGC >= 5, "freed:", told.Frees > 1000, "kept:", kept.count())
	fmt.Println("all steps are done")
}

// Small objects that refer to each other.
func trees(worker int) int {
	sum := 0
	for round := 0; round < 4; round++ {
		sum += grow(6 + worker%2).count()
	}
	return sum
}

// Maps and strings.
func words(worker int) int {
	counts := map[string]int{}
	for i := 0; i < 600; i++ {
		counts[fmt.Sprintf("word%d", i*(worker+1)%251)] += i
	}
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	sort.Strings(names)
	return int(crc32.ChecksumIEEE([]byte(strings.Join(names, " "))) % 1000)
}

// Objects that are large, and mapped and given back on their own.
func blocks(worker int) int {
	var kept [][]byte
	sum := 0
	for i := 0; i < 12; i++ {
		block := make([]byte, 60_000+i*1000)
		block[len(block)-1] = byte(worker + i)
		kept = append(kept, block)
		if len(kept) > 4 {
			sum += int(kept[0][len(kept[0])-1])
			kept = kept[1:]
		}
	}
	return sum
}

// What is told of an object that nobody keeps.
func finalizers() {
	const objects = 10
	told := make(chan int, objects)
	for i := 0; i < objects; i++ {
		object := &tree{payload: make([]byte, 64)}
		number := i
		runtime.SetFinalizer(object, func(*tree) { told <- number })
	}
	sum := 0
	for i := 0; i < objects; {
		runtime.GC()
		for going := true; going && i < objects; {
			select {
			case number := <-told:
				sum += number
				i++
			default:
				going = false
				runtime.Gosched()
			}
		}
	}
	fmt.Println("finalizers:", sum)
}

// Stacks that grow, are moved, and shrink.
func stacks() {
	var deep func(levels int, above *int) int
	deep = func(levels int, above *int) int {
		var room [32]int
		room[levels%32] = *above + 1
		if levels == 0 {
			return *above
		}
		return deep(levels-1, &room[levels%32])
	}
	results := make(chan int)
	for i := 0; i < workers; i++ {
		go func(worker int) {
			start := worker
			results <- deep(1500, &start)
		}(i)
	}
	sum := 0
	for i := 0; i < workers; i++ {
		sum += <-results
	}
	fmt.Println("stacks:", sum)
}
